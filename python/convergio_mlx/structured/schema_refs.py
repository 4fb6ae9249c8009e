"""The parts of a JSON Schema, and what its `$ref`s make of them.

llguidance follows a chain of references by recursion, so how deep a schema may lead is bounded
here, to fit the stack on which it is compiled (csrc/engine/compile_threads.cpp).
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterator
from typing import Any, NoReturn
from urllib.parse import unquote

from convergio_mlx.errors import InvalidRequestError
from convergio_mlx.structured.schema_keywords import SCHEMA_LISTS, SCHEMA_MAPS, SCHEMAS

_DEEPEST = 100
_DEEPEST_REFS = 4000
"""Levels of all schemas that references lead to, together. llguidance takes 9.3 kB of stack for a
reference within a property at most, and has 64 MB."""
_MOST_PARTS = 20_000
_MOST_PASSES = 50
_MOST_PATTERNS = 16
"""Of one text. To find out whether any text has all takes llguidance 0.2 s for 16, 13 s for 22."""
IN_PLACE = ("allOf", "anyOf", "oneOf")


class Parts:
    """All schemas within a schema, itself included, by JSON pointer (`/$defs/a`)."""

    def __init__(self, root: dict[str, Any], where: str) -> None:
        """Walks the schema.

        Raises:
            InvalidRequestError: one is no schema, is nested too deeply, or refers to none.
        """
        self._where = where
        self.all: dict[str, dict[str, Any]] = {}
        self._names: dict[str, str] = {}
        self._anchors: dict[str, str] = {}
        self._heights: dict[str, int] = {}
        self._booleans: set[str] = set()
        self._walk(root, "", where, 0)
        self._bound()
        self._bound_patterns()

    def name(self, pointer: str) -> str:
        """How errors call a part: `response_format.schema.properties.a`."""
        return self._names[pointer]

    def target(self, pointer: str) -> str | None:
        """The part that a part refers to, or None where it refers to none."""
        ref = self.all[pointer].get("$ref")
        if not isinstance(ref, str):
            return None
        fragment = unquote(ref[1:])
        fragment = self._anchors.get(fragment, fragment)
        if ref[:1] == "#" and fragment in self.all:
            return fragment
        if not (ref[:1] == "#" and fragment in self._booleans):
            shown = reprlib.repr(ref)
            what = f"has the '$ref' {shown}, which leads to no schema within this one"
            self._refuse(pointer, what)
        return None

    def in_place(self, pointer: str) -> Iterator[tuple[str, list[str]]]:
        """What holds for the same value: each keyword with the parts of it."""
        part = self.all[pointer]
        for keyword in IN_PLACE:
            if keyword in part:
                count = len(part[keyword])
                yield (
                    keyword,
                    [
                        child
                        for index in range(count)
                        if (child := f"{pointer}/{keyword}/{index}") in self.all
                    ],
                )
        target = self.target(pointer)
        if target is not None:
            yield "$ref", [target]

    def check_finite(self) -> None:
        """Raises InvalidRequestError where every value would hold another of its kind without
        end."""
        finite: set[str] = set()
        order = self._children_first()
        for _ in range(_MOST_PASSES):
            before = len(finite)
            for pointer in order:
                if pointer not in finite and self._ends(pointer, finite):
                    finite.add(pointer)
            if "" in finite or len(finite) == before:
                break
        else:
            return
        if "" not in finite:
            raise InvalidRequestError(
                f"[schema] {self._where} requires itself without end, so no value fits it; make a "
                "part of it optional."
            )

    def _children_first(self) -> list[str]:
        """All parts, those that a part leads to before it where that is possible."""
        order: list[str] = []
        seen: set[str] = set()
        for root in [*self.all][::-1]:
            stack = [(root, False)]
            while stack:
                pointer, left = stack.pop()
                if left:
                    order.append(pointer)
                elif pointer not in seen:
                    seen.add(pointer)
                    stack.append((pointer, True))
                    for _, children in self.in_place(pointer):
                        stack += [(child, False) for child in children]
        return order

    def _ends(self, pointer: str, finite: set[str]) -> bool:
        part = self.all[pointer]
        for keyword, children in self.in_place(pointer):
            free = keyword in ("anyOf", "oneOf") and len(children) < len(part[keyword])
            ends = [child in finite for child in children]
            if not free and not (any(ends) if keyword in ("anyOf", "oneOf") else all(ends)):
                return False
        if _types(part) == ["object"]:
            names = [name for name in part.get("required", ()) if isinstance(name, str)]
            children = [f"{pointer}/properties/{_token(name)}" for name in names]
            if any(c in self.all and c not in finite for c in children):
                return False
        least = part.get("minItems", 0)
        if _types(part) == ["array"] and isinstance(least, int | float) and least > 0:
            firsts = [f"{pointer}/prefixItems/{i}" for i in range(min(int(least), 1000))]
            rest = f"{pointer}/items"
            given = part.get("prefixItems", [])
            count = len(given) if isinstance(given, list) else 0
            if any(c in self.all and c not in finite for c in firsts):
                return False
            return count >= least or rest not in self.all or rest in finite
        return True

    def _walk(self, part: Any, pointer: str, name: str, depth: int) -> int:
        """Notes a part and those within it; returns how many levels it has."""
        if depth > _DEEPEST:
            raise InvalidRequestError(
                f"[schema] {name} is nested more than {_DEEPEST} levels deep; give fewer levels, "
                "or recurse with '$ref'."
            )
        if isinstance(part, bool):
            self._booleans.add(pointer)
            return 0
        if not isinstance(part, dict):
            raise InvalidRequestError(
                f"[schema] {name} is of type {type(part).__name__}; give an object or a boolean."
            )
        if len(self.all) == _MOST_PARTS:
            raise InvalidRequestError(
                f"[schema] {self._where} has more than {_MOST_PARTS} schemas within, which is the "
                "most that is compiled; give fewer."
            )
        self.all[pointer] = part
        self._names[pointer] = name
        for keyword in ("$anchor", "$dynamicAnchor"):
            if isinstance(part.get(keyword), str):
                self._anchors[part[keyword]] = pointer
        height = 0
        for keyword, value in part.items():
            at, inner = f"{pointer}/{_token(keyword)}", f"{name}.{keyword}"
            if keyword in SCHEMA_MAPS:
                children = [
                    self._walk(one, f"{at}/{_token(key)}", f"{inner}.{key}", depth + 1)
                    for key, one in _typed(value, dict, inner).items()
                ]
            elif keyword in SCHEMA_LISTS or (keyword == "items" and isinstance(value, list)):
                children = [
                    self._walk(one, f"{at}/{index}", f"{inner}[{index}]", depth + 1)
                    for index, one in enumerate(_typed(value, list, inner))
                ]
            elif keyword in SCHEMAS:
                children = [self._walk(value, at, inner, depth + 1)]
            else:
                continue
            if keyword not in ("$defs", "definitions"):
                height = max(height, *children, 0)
        self._heights[pointer] = height + 1
        return height + 1

    def _bound(self) -> None:
        targets = {target for pointer in self.all if (target := self.target(pointer)) is not None}
        heights = [self._heights[target] for target in targets]
        if any("$id" in part or "id" in part for pointer, part in self.all.items() if pointer):
            heights = [max(self._heights.values())] * len(targets)  # '#' may mean another root
        levels = sum(heights) + self._heights[""]
        if levels > _DEEPEST_REFS:
            raise InvalidRequestError(
                f"[schema] {self._where} leads through {levels} levels by its {len(targets)} "
                f"'$ref's, and at most {_DEEPEST_REFS} are compiled; give fewer definitions."
            )

    def _bound_patterns(self) -> None:
        counts: dict[str, int] = {}
        for pointer in self._children_first():
            part = self.all[pointer]
            counts[pointer] = ("pattern" in part) + ("format" in part)
            for keyword, children in self.in_place(pointer):
                if keyword in ("allOf", "$ref"):
                    counts[pointer] += sum(counts.get(child, 0) for child in children)
            if counts[pointer] > _MOST_PATTERNS:
                raise InvalidRequestError(
                    f"[schema] {self.name(pointer)} asks for {counts[pointer]} patterns and "
                    f"formats of one text, and at most {_MOST_PATTERNS} are compiled; say it with "
                    "fewer."
                )

    def _refuse(self, pointer: str, what: str) -> NoReturn:
        raise InvalidRequestError(
            f"[schema] {self.name(pointer)} {what}; refer to a part of it, as in '#/$defs/name'."
        )


def _types(part: dict[str, Any]) -> list[str]:
    """The types that a part says its values are of; none where it does not say."""
    types = part.get("type", [])
    return [types] if isinstance(types, str) else list(types) if isinstance(types, list) else []


def _token(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _typed(value: Any, kind: type, at: str) -> Any:
    if not isinstance(value, kind):
        wanted = "an object" if kind is dict else "a list"
        raise InvalidRequestError(
            f"[schema] {at} is of type {type(value).__name__}, which must be {wanted}; correct it."
        )
    return value
