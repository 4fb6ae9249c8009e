"""Which objects of a schema are closed: answers have no properties that the schema does not name.

JSON Schema leaves an object open that does not say `additionalProperties`, and a model then invents
some. Where several schemas describe one object (`allOf`, a `$ref` beside `properties`), no single
one can be closed: the names of all are closed together.
"""

from __future__ import annotations

from typing import Any

from convergio_mlx.structured.schema_refs import Parts

_NAMING = ("properties", "patternProperties")
_SAYING = ("additionalProperties", "unevaluatedProperties", "patternProperties")


class Objects:
    """What the parts of a schema say together of an object."""

    def __init__(self, parts: Parts) -> None:
        """Looks at all parts."""
        self._parts = parts
        self._mentioning = self._all_mentioning()
        members = {pointer: self._members(pointer) for pointer in parts.all}
        self._composers = {pointer for pointer, all_ in members.items() if len(all_) > 1}
        shared = [one for at in self._composers for one in members[at] if one != at]
        self._sharing = {*self._reached(*shared)}

    def closing(self, pointer: str, always: bool) -> dict[str, Any]:
        """The keywords that close the object of a part: none where it must stay as it is.

        Args:
            pointer: the part.
            always: it is closed by default; else where it says `unevaluatedProperties: false`.
        """
        part = self._parts.all[pointer]
        if pointer in self._sharing or not (always or part.get("unevaluatedProperties") is False):
            return {}
        if pointer in self._composers:
            return self._closing_together(pointer)
        if "properties" not in part or "additionalProperties" in part:
            return {}
        names = _named(part)
        if part.get("minProperties", 0) > len(names):
            return {}
        missing = {name: True for name in names if name not in part["properties"]}
        properties = {"properties": {**part["properties"], **missing}} if missing else {}
        return {**properties, "additionalProperties": False}

    def _closing_together(self, pointer: str) -> dict[str, Any]:
        reached = [self._parts.all[one] for one in self._reached(pointer)]
        if any(keyword in part for part in reached[1:] for keyword in _SAYING):
            return {}
        if any(keyword in reached[0] for keyword in ("additionalProperties", "patternProperties")):
            return {}
        names: dict[str, bool] = {name: True for part in reached for name in _named(part)}
        if any(part.get("minProperties", 0) > len(names) for part in reached):
            return {}
        closing = {"properties": names, "additionalProperties": False}
        return {"allOf": [*reached[0].get("allOf", ()), closing]}

    def _members(self, pointer: str) -> list[str]:
        """The parts that name properties of the object of this one; alternatives count once."""
        members = [pointer] if _names_properties(self._parts.all[pointer]) else []
        for keyword, children in self._parts.in_place(pointer):
            naming = [child for child in children if child in self._mentioning]
            members += naming if keyword in ("allOf", "$ref") else naming[:1]
        if len(members) > 1:  # all of the alternatives share the object then
            for keyword, children in self._parts.in_place(pointer):
                if keyword in ("anyOf", "oneOf"):
                    members += [c for c in children if c in self._mentioning]
        return members

    def _all_mentioning(self) -> set[str]:
        """The parts that name properties, or hold for the same value as one that does."""
        above: dict[str, list[str]] = {}
        for pointer in self._parts.all:
            for _, children in self._parts.in_place(pointer):
                for child in children:
                    above.setdefault(child, []).append(pointer)
        left = [pointer for pointer, part in self._parts.all.items() if _names_properties(part)]
        found = {*left}
        while left:
            more = [one for one in above.get(left.pop(), ()) if one not in found]
            found.update(more)
            left += more
        return found

    def _reached(self, *pointers: str) -> list[str]:
        """The parts and those that hold for the same value, each once, in order."""
        reached: dict[str, None] = {}
        left = [*pointers]
        while left:
            one = left.pop()
            if one not in reached:
                reached[one] = None
                found = [c for _, children in self._parts.in_place(one) for c in children]
                left += found[::-1]
        return [*reached]


def _names_properties(part: dict[str, Any]) -> bool:
    return any(keyword in part for keyword in _NAMING)


def _named(part: dict[str, Any]) -> list[str]:
    required = part.get("required", ())
    return [*dict.fromkeys([*part.get("properties", ()), *required])]
