"""Properties that are found once and kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

ValueT = TypeVar("ValueT")


class once(Generic[ValueT]):  # noqa: N801 (a decorator)
    """As functools.cached_property, without the lock that all objects of a class share in Python
    3.11: one that waits for a disk would hold up the others. Two threads may both find a value."""

    def __init__(self, find: Callable[[Any], ValueT]) -> None:
        """Takes the method that finds it."""
        self._find = find
        self.__doc__ = find.__doc__

    @overload
    def __get__(self, owner: None, kind: type) -> once[ValueT]: ...

    @overload
    def __get__(self, owner: object, kind: type) -> ValueT: ...

    def __get__(self, owner: object | None, kind: type) -> once[ValueT] | ValueT:
        """The value, which stands in this one's place afterwards."""
        if owner is None:
            return self
        value = self._find(owner)
        owner.__dict__[self._find.__name__] = value
        return value
