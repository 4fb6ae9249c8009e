"""`oneOf` whose schemas exclude each other by one property: no value can fit two of them."""

from __future__ import annotations

from typing import Any

from convergio_mlx.structured.schema_refs import Parts


def discriminator(parts: Parts, pointer: str) -> str | None:
    """The property whose constant differs in each schema of a part's `oneOf`, or None: the one
    that the part's `discriminator` names, or any."""
    branches = [f"{pointer}/oneOf/{index}" for index in range(len(parts.all[pointer]["oneOf"]))]
    if len(branches) < 2 or any(branch not in parts.all for branch in branches):
        return None
    given = parts.all[pointer].get("discriminator")
    name = given.get("propertyName") if isinstance(given, dict) else None
    for candidate in [name] if isinstance(name, str) else _constants(parts, branches[0]):
        taken: set[Any] = set()
        for branch in branches:
            values = _constants(parts, branch).get(candidate)
            if not values or taken & values:
                break
            taken |= values
        else:
            return candidate
    return None


def excluding(branch: Any, name: str) -> dict[str, Any]:
    """A schema of a discriminated `oneOf`, with the property that tells it required."""
    required = branch.get("required", [])
    return branch if name in required else {**branch, "required": [*required, name]}


def are_exclusive(parts: Parts, pointer: str) -> bool:
    """Whether the types or the constants of a `oneOf`'s schemas exclude each other."""
    branches = [
        parts.all.get(f"{pointer}/oneOf/{index}", {})
        for index in range(len(parts.all[pointer]["oneOf"]))
    ]
    constants = [_of(branch) for branch in branches]
    if all(constants):
        return len(set[Any]().union(*constants)) == sum(map(len, constants))
    taken: set[str] = set()
    for part in branches:
        types = part.get("type", ())
        found = {types} if isinstance(types, str) else set(types)
        found = {"number" if one == "integer" else one for one in found}
        if not found or taken & found:
            return False
        taken |= found
    return True


def _constants(parts: Parts, pointer: str) -> dict[str, set[Any]]:
    """Of each property that has a constant, or one of several, their values."""
    seen: set[str] = set()
    at: str | None = pointer
    while at is not None and at not in seen:
        seen.add(at)
        part = parts.all[at]
        if "properties" in part:
            return {name: found for name, one in part["properties"].items() if (found := _of(one))}
        at = parts.target(at)
    return {}


def _of(part: Any) -> set[Any]:
    if not isinstance(part, dict):
        return set()
    values = [part["const"]] if "const" in part else part.get("enum", [])
    if not isinstance(values, list) or any(isinstance(one, list | dict) for one in values):
        return set()
    return {(isinstance(one, bool), one) for one in values}
