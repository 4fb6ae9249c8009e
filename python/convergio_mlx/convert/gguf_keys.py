"""The keys of a GGUF file's architecture, and what is wrong with them."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from typing import Any

from convergio_mlx.convert.gguf_architecture import Key


class Keys:
    """The keys of a file, and what is wrong with those that were looked up."""

    def __init__(self, metadata: Mapping[str, Any], architecture: str) -> None:
        """Of a file of an architecture."""
        self._metadata = metadata
        self._prefix = f"{architecture}."
        self.faults: list[str] = []

    def get(self, name: str, default: Any = None) -> Any:
        """A key of the architecture's own."""
        return self._metadata.get(self._prefix + name, default)

    def integer(self, name: str, default: int | None = None, *, of_some: bool = False) -> int:
        """A count of at least 1, which may be an array of the same count for each layer, or
        `of_some` layers, and 0 for the others."""
        value = self.get(name)
        if of_some and isinstance(value, list):
            value = [one for one in value if one != 0]
        if isinstance(value, list) and value and all(one == value[0] for one in value):
            value = value[0]
        if value is None and default is not None:
            return default
        if type(value) is not int or not 1 <= value < 1 << 31:
            self._fault(name, value, "a count" if not isinstance(value, list) else "one for all")
            return 1
        return value

    def each(self, name: str, layers: int, default: int | None = None) -> list[int]:
        """A count or a flag of each of so many layers; one for all may stand for them, and what is
        listed of later ones, which draft, is left out."""
        value = self.get(name)
        if not isinstance(value, list):
            return [self.integer(name, default)] * layers
        known = all(type(one) in (int, bool) and 0 <= one < 1 << 31 for one in value)
        if not known or len(value) < layers:
            self._fault(name, value, f"one for each of {layers} layers")
            return [1] * layers
        return value[:layers]

    def count(self, name: str) -> int:
        """A count that may be 0, as it is where the key is missing."""
        return self.integer(name) if self.get(name) else 0

    def quotient(self, name: str, by: str) -> int:
        """A count divided by another, without a rest."""
        count, divisor = self.integer(name), self.integer(by)
        if count % divisor:
            self.refuse(name, f"a multiple of '{self._prefix}{by}', {divisor}")
        return max(count // divisor, 1)

    def number(self, name: str, default: float | None = None) -> float:
        """A positive number."""
        value = self.get(name)
        if value is None and default is not None:
            return default
        if type(value) not in (int, float) or not 0 < value < math.inf:
            self._fault(name, value, "a number above 0")
            return 1.0
        return shortest(float(value))

    def field(self, key: Key) -> Any:
        """What a key makes of a field of config.json."""
        value = self.get(key.name)
        if (value is None and not key.needed) or (key.zero_is_none and value == 0):
            return key.default
        if type(value) is bool:
            return value
        least = 0 if key.may_be_zero else math.ulp(0.0)
        if type(value) not in (int, float) or not least <= value < math.inf:
            self._fault(key.name, value, "a number above 0")
            return 1
        return shortest(value) if isinstance(value, float) else value

    def refuse(self, name: str, wanted: str) -> None:
        """Adds that a key is not what it must be."""
        self._fault(name, self.get(name), wanted)

    def _fault(self, name: str, value: Any, wanted: str) -> None:
        said = "is missing" if value is None else f"is {ascii(value)[:60]}"
        self.faults.append(f"key '{self._prefix}{name}' {said}, which must be {wanted}")


def shortest(value: float) -> float:
    """The number with the fewest digits that is the same as a float32."""
    try:
        packed = struct.pack("<f", value)
    except OverflowError:
        return value
    for digits in range(1, 10):
        short = float(f"{value:.{digits}g}")
        if struct.pack("<f", short) == packed:
            return short
    return value
