"""What the engine's arrays take in memory, and how much they may."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral

from convergio_mlx.errors import InvalidRequestError
from convergio_mlx.platform.native import native


@dataclass(frozen=True)
class MemoryUse:
    """Bytes that MLX holds in this process: KV caches, activations, and on a GPU the weights."""

    active: int
    """In arrays."""
    peak: int
    """The most that `active` has been."""
    cached: int
    """Freed, and held for the next array; bounded on a GPU, 0 on a CPU."""
    limit: int
    """What `active` may reach; after `set_memory_limit` with the weights of loaded models."""
    weights: int
    """Of the loaded models, mapped or not."""
    mapped: int
    """Of these, what `active` does not count: on a CPU all, unless they are read."""

    @property
    def held(self) -> int:
        """What counts against `limit`."""
        return self.active + self.mapped


def memory_use() -> MemoryUse:
    """Asks MLX.

    Raises:
        UnavailableError: MLX cannot run here.
    """
    native().backend()  # which reads the environment
    return MemoryUse(*native().memory())


def set_memory_limit(limit: int | None) -> None:
    """Bounds what the models of this process take: their weights, mapped or not, KV caches and
    activations. What would exceed it raises an OutOfMemoryError in the request or the load that
    asked for it, after kept KV caches were let go of; the next one works. The environment's
    CONVERGIO_MLX_MEMORY_LIMIT sets the same.

    Args:
        limit: bytes; None for MLX's own limit on this machine, which does not count mapped weights.

    Raises:
        InvalidRequestError: it is not a whole number above 0.
        UnavailableError: MLX cannot run here.
    """
    if limit is not None:
        is_whole = isinstance(limit, Integral) and not isinstance(limit, bool)
        if not is_whole or not 0 < limit < 1 << 63:
            raise InvalidRequestError(
                f"[memory] the limit is {limit!r}, which must be a whole number of bytes above 0, "
                "or None."
            )
    native().backend()  # which reads the environment, and would set its limit later
    native().set_memory_limit(limit)
