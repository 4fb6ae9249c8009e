"""Python types as JSON Schema.

Plain types, what `typing` makes of them, enums, dataclasses and TypedDicts are described here. A
pydantic model describes itself, so that pydantic is needed only by who gives one.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import types
import typing
import uuid
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from convergio_mlx.errors import InvalidRequestError

Schema = dict[str, Any]

PLAIN: dict[Any, Schema] = {
    Any: {},
    object: {},
    None: {"type": "null"},
    type(None): {"type": "null"},
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    list: {"type": "array"},
    tuple: {"type": "array"},
    dict: {"type": "object"},
    datetime.datetime: {"type": "string", "format": "date-time"},
    datetime.date: {"type": "string", "format": "date"},
    datetime.time: {"type": "string", "format": "time"},
    uuid.UUID: {"type": "string", "format": "uuid"},
}
LISTS = (list, Sequence, set, frozenset, AbstractSet)
DICTS = (dict, Mapping)
_NAMES = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}
_BOUNDS = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
    "pattern": "pattern",
}
"""What `annotated_types` and pydantic's `Field` say of a value, and JSON Schema's word for it."""


def schema_of(kind: Any, where: str) -> Schema:
    """The JSON Schema of a type.

    Args:
        kind: a type, or what an annotation may be.
        where: what has it, for errors.

    Raises:
        InvalidRequestError: JSON has no values of that type.
    """
    schemas, definitions = schemas_of({where: kind})
    return {**schemas[where], "$defs": definitions} if definitions else schemas[where]


def schemas_of(kinds: Mapping[str, Any]) -> tuple[dict[str, Schema], dict[str, Schema]]:
    """The JSON Schemas of several types that stand in one, and the definitions that their
    references need at its top.

    Args:
        kinds: types by what has each of them, for errors.

    Raises:
        InvalidRequestError: JSON has no values of one of them, or two have one name and cannot be
            told apart.
    """
    writer = _Writer()
    return {where: writer.of(where, kind) for where, kind in kinds.items()}, writer.definitions


def name_of(kind: Any) -> str:
    """What a type is called, in letters that a schema's name may have."""
    name = getattr(kind, "__name__", None) or str(kind)
    return "".join(letter if letter.isalnum() else "_" for letter in name)[:64]


def is_model(kind: Any) -> bool:
    """Whether it is a pydantic model."""
    return isinstance(kind, type) and hasattr(kind, "model_json_schema")


def is_dataclass(kind: Any) -> bool:
    """Whether it is a dataclass, and no instance of one."""
    return isinstance(kind, type) and dataclasses.is_dataclass(kind)


def unwrapped(kind: Any) -> Any:
    """The type behind a name for it: `NewType`, `type X = …`."""
    while True:
        inner = getattr(kind, "__supertype__", None)
        if inner is None and type(kind).__name__ == "TypeAliasType":
            inner = kind.__value__
        if inner is None:
            return kind
        kind = inner


def members_of(kind: Any) -> dict[str, Any]:
    """The annotations of a class by name, resolved."""
    return typing.get_type_hints(kind, include_extras=True)


def required_of(kind: Any) -> set[str]:
    """The members that a dataclass or a TypedDict cannot be without."""
    if not is_dataclass(kind):
        marks = {name: typing.get_origin(one) for name, one in members_of(kind).items()}
        optional = {name for name, mark in marks.items() if mark is typing.NotRequired}
        needed = {name for name, mark in marks.items() if mark is typing.Required}
        keys = {*kind.__required_keys__}  # which do not see what an annotation that is a text says
        return (keys - optional) | needed
    missing = dataclasses.MISSING
    return {
        field.name
        for field in dataclasses.fields(kind)
        if field.default is missing and field.default_factory is missing
    }


class _Writer:
    """Writes schemas, with the definitions that their references need."""

    def __init__(self) -> None:
        self.definitions: dict[str, Schema] = {}
        self._where = ""
        self._open: list[type] = []
        self._recursive: set[type] = set()

    def of(self, where: str, kind: Any) -> Schema:
        self._where = where
        return self.schema(kind)

    def schema(self, kind: Any) -> Schema:  # noqa: PLR0911
        kind = unwrapped(kind)
        if _is_plain(kind):
            return dict(PLAIN[kind])
        origin, given = typing.get_origin(kind), typing.get_args(kind)
        if origin is typing.Annotated:
            return self._annotated(given[0], kind.__metadata__)
        if origin is typing.Literal:
            return self._constants(given)
        if origin in (typing.Union, types.UnionType):
            return {"anyOf": [self.schema(one) for one in given]}
        if origin in LISTS or kind in (set, frozenset):
            return {"type": "array", **({"items": self.schema(given[0])} if given else {})}
        if origin is tuple:
            return self._tuple(given)
        if origin in DICTS:
            return self._dict(*given)
        return self._class(kind)

    def _class(self, kind: Any) -> Schema:
        if is_model(kind):
            return self._model(kind)
        if isinstance(kind, type) and issubclass(kind, enum.Enum):
            return self._constants([member.value for member in kind])
        if is_dataclass(kind) or typing.is_typeddict(kind):
            return self._object(kind)
        return self._refuse(f"has the type {kind!r}", "give one that JSON has values of")

    def _annotated(self, kind: Any, notes: Sequence[Any]) -> Schema:
        schema = self.schema(kind)
        flat = [one for note in notes for one in (note, *getattr(note, "metadata", ()))]
        for note in flat:
            text = note if isinstance(note, str) else getattr(note, "description", None)
            if isinstance(text, str):
                schema["description"] = text
            for name, keyword in _BOUNDS.items():
                if (bound := getattr(note, name, None)) is not None:
                    schema[keyword] = bound
            unit = "Length" if schema.get("type") == "string" else "Items"
            for name in ("min", "max"):
                if (bound := getattr(note, f"{name}_length", None)) is not None:
                    schema[f"{name}{unit}"] = bound
        return schema

    def _constants(self, values: Sequence[Any]) -> Schema:
        plain = [value.value if isinstance(value, enum.Enum) else value for value in values]
        if odd := [value for value in plain if type(value) not in _NAMES]:
            self._refuse(f"has the constant {odd[0]!r}", "give texts, numbers, True, False or None")
        names = dict.fromkeys(_NAMES[type(value)] for value in plain)
        return {"type": next(iter(names)) if len(names) == 1 else [*names], "enum": plain}

    def _tuple(self, given: tuple[Any, ...]) -> Schema:
        if len(given) == 2 and given[1] is Ellipsis:
            return {"type": "array", "items": self.schema(given[0])}
        size = len(given)
        items = [self.schema(one) for one in given]
        return {"type": "array", "prefixItems": items, "minItems": size, "maxItems": size}

    def _dict(self, key: Any, value: Any) -> Schema:
        if unwrapped(key) is not str:
            self._refuse(f"has the keys {key!r}", "give str, the keys that JSON has")
        return {"type": "object", "additionalProperties": self.schema(value) or True}

    def _object(self, kind: Any) -> Schema:
        if kind in self._open:
            self._recursive.add(kind)
        if kind in self._recursive:
            return {"$ref": f"#/$defs/{kind.__name__}"}
        self._open.append(kind)
        members = {name: self.schema(_bare(one)) for name, one in self._members(kind).items()}
        self._open.pop()
        schema = {
            "type": "object",
            **_description(kind),
            "properties": members,
            "required": [name for name in members if name in required_of(kind)],
        }
        if kind not in self._recursive:
            return schema
        self._define(kind.__name__, schema)
        return {"$ref": f"#/$defs/{kind.__name__}"}

    def _members(self, kind: Any) -> dict[str, Any]:
        try:
            hints = members_of(kind)
        except Exception as error:
            return self._refuse(
                f"has the type {kind.__name__}, whose annotations cannot be read ({error})",
                "define what they name in its module",
            )
        if not is_dataclass(kind):
            return hints
        return {field.name: hints[field.name] for field in dataclasses.fields(kind) if field.init}

    def _model(self, kind: Any) -> Schema:
        schema: Schema = kind.model_json_schema()
        definitions = schema.pop("$defs", {})
        if any(self.definitions.get(name, one) != one for name, one in definitions.items()):
            prefix = f"{kind.__name__}."  # another model has a definition of that name
            schema = kind.model_json_schema(ref_template=f"#/$defs/{prefix}{{model}}")
            definitions = schema.pop("$defs")
            definitions = {f"{prefix}{name}": one for name, one in definitions.items()}
        for name, one in definitions.items():
            self._define(name, one)
        return schema

    def _define(self, name: str, schema: Schema) -> None:
        if self.definitions.setdefault(name, schema) != schema:
            self._refuse(f"has two types of the name {name}", "give each a name of its own")

    def _refuse(self, what: str, remedy: str) -> typing.NoReturn:
        raise InvalidRequestError(f"[types] {self._where} {what}; {remedy}.")


def _is_plain(kind: Any) -> bool:
    try:
        return kind in PLAIN
    except TypeError:  # a Literal of something that has no hash
        return False


def _bare(kind: Any) -> Any:
    """A TypedDict's member without `Required` or `NotRequired`."""
    is_marked = typing.get_origin(kind) in (typing.Required, typing.NotRequired)
    return typing.get_args(kind)[0] if is_marked else kind


def _description(kind: Any) -> Schema:
    """What a class says of itself; the text that `dataclass` writes for one without is none."""
    text = kind.__doc__
    if not text or (is_dataclass(kind) and text.startswith(f"{kind.__name__}(")):
        return {}
    return {"description": " ".join(text.split())}
