"""Whether MLX can run here, as a value rather than an exception at import."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass
from typing import Literal

from convergio_mlx.errors import ConvergioError


@dataclass(frozen=True)
class Availability:
    """What this machine offers."""

    status: Literal["available", "degraded", "unavailable"]
    """available: a GPU; degraded: the CPU alone; unavailable: nothing runs."""
    backend: Literal["metal", "cuda", "cpu"] | None
    """Where MLX computes; None where it is unavailable."""
    reasons: tuple[str, ...] = ()
    """Why it is not plainly available, a sentence each."""

    def __bool__(self) -> bool:
        """True where models can run."""
        return self.status != "unavailable"


def availability() -> Availability:
    """Looks at the machine and loads the native module; raises nothing."""
    if sys.platform == "darwin" and platform.machine() != "arm64":
        return Availability(
            "unavailable",
            None,
            ("[availability] MLX needs Apple silicon, and this Mac has an Intel processor.",),
        )
    from convergio_mlx.platform.native import native

    try:
        backend = native().backend()
    except ConvergioError as error:
        return Availability("unavailable", None, (str(error),))
    if backend == "cpu":
        return Availability(
            "degraded",
            "cpu",
            ("[availability] MLX found no GPU and computes on the CPU, which is slower.",),
        )
    return Availability("available", backend)
