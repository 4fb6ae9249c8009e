"""The values that detection gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Memory:
    """Memory that a model can use, in bytes."""

    total: int
    """All there is: of the machine, or what a control group leaves of it."""
    available: int
    """What a program can take now without swapping or being killed."""
    limited_by: Literal["machine", "cgroup"] = "machine"
    """Who sets `total`."""


@dataclass(frozen=True)
class Gpu:
    """A graphics processor that MLX can compute on."""

    name: str
    kind: Literal["metal", "cuda"]
    cores: int | None = None
    """Of an Apple GPU."""
    memory: int | None = None
    """Bytes: an NVIDIA card's own memory, or the working set that macOS recommends; None where it
    shares the machine's and the driver names no size."""
    free: int | None = None
    """Bytes of `memory` that are free; None where that is unknown."""
    driver: str | None = None
    capability: str | None = None
    """CUDA's compute capability, such as 9.0."""


@dataclass(frozen=True)
class Hardware:
    """A machine."""

    system: str
    """The operating system and its version, such as macOS 26.1."""
    chip: str
    """The processor's name, such as Apple M4 Max."""
    machine: str
    """The architecture, such as arm64."""
    cores: int
    """Cores to compute with: by affinity and cgroup quota; on Apple silicon the performance
    cores."""
    memory: Memory
    family: str | None = None
    """Of Apple silicon: M1, M2, …"""
    tier: str | None = None
    """Of Apple silicon: Pro, Max or Ultra; None for the plain chip."""
    performance_cores: int | None = None
    efficiency_cores: int | None = None
    gpus: tuple[Gpu, ...] = ()
    instruction_sets: tuple[str, ...] = ()
    """Those of the engine's CPU kernels that run here, slowest first."""

    @property
    def is_apple_silicon(self) -> bool:
        """Whether it is a Mac with an M chip."""
        return self.family is not None
