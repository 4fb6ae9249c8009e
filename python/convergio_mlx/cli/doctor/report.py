"""What a machine does, in one file to be sent: versions, the backend, self-tests and speed. No name
of a person, a machine or a folder is in it."""

from __future__ import annotations

import json
import math
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from convergio_mlx.errors import ConvergioError, StorageError
from convergio_mlx.platform.hardware.detect import detect
from convergio_mlx.platform.machine import availability
from convergio_mlx.platform.native import native
from convergio_mlx.sizing.memory import memory_use
from convergio_mlx.store.locate import GUIDE_ID
from convergio_mlx.version import __version__

_PROMPT = list(range(40, 104))
_PROGRAM = f"""
import json
import convergio_mlx as cm
with cm.Engine.load({GUIDE_ID!r}) as engine:
    print(json.dumps(memoryview(engine.logits({_PROMPT})).tolist()[-1]))
"""
_OTHERS = {
    "our_kernels": {"CONVERGIO_MLX_DEVICE": "cpu", "CONVERGIO_MLX_EXACT": "1"},
    "operations_of_mlx": {"CONVERGIO_MLX_DEVICE": "cpu", "CONVERGIO_MLX_ISA": "off"},
}
_ANSWER = 64
"""Tokens that the speed is measured over."""


def report() -> dict[str, Any]:
    """All of it; a part that fails says why."""
    parts: dict[str, Callable[[], Any]] = {
        "versions": _versions,
        "machine": _machine,
        "gpu": lambda: native().gpu(),
        "gpu_kernels": _gpu_kernels,
        "mapping": _mapping,
        "numbers": _numbers,
        "speed": _speed,
        "memory": lambda: vars(memory_use()),
    }
    made: dict[str, Any] = {"made_at": datetime.now(UTC).strftime("%Y-%m-%d")}
    for name, part in parts.items():
        try:
            made[name] = part()
        except (ConvergioError, OSError, subprocess.SubprocessError) as error:
            made[name] = {"failed": _without_home(str(error))}
    return made


def write(path: Path) -> None:
    """Writes the report to a file, in place of one that is there.

    Raises:
        StorageError: it cannot be written.
    """
    text = json.dumps(report(), indent=2, sort_keys=True, allow_nan=False) + "\n"
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StorageError(
            f"[doctor] {str(path)!r} cannot be written ({error.strerror}); name another file."
        ) from error


def _without_home(text: str) -> str:
    return text.replace(str(Path.home()), "~")


def _versions() -> dict[str, Any]:
    can_run = availability()
    return {
        "convergio-mlx": __version__,
        "python": platform.python_version(),
        "mlx": native().mlx_version() if can_run else None,
        "backend": can_run.backend,
        "reasons": [_without_home(reason) for reason in can_run.reasons],
    }


def _machine() -> dict[str, Any]:
    known = detect()
    return {
        "system": known.system,
        "platform": sys.platform,
        "machine": known.machine,
        "chip": known.chip,
        "cores": known.cores,
        "memory": known.memory.total,
        "instruction_sets": list(known.instruction_sets),
        "gpus": [{"name": one.name, "cores": one.cores} for one in known.gpus],
    }


def _gpu_kernels() -> str:
    found: str = native().gpu_kernels()
    return _without_home(found)


def _mapping() -> dict[str, Any]:
    """Loads the embedded model with its weights bound where they lie; says what is counted."""
    from convergio_mlx.engine.engine import Engine

    before = memory_use()
    with Engine.load(GUIDE_ID):
        now = memory_use()
    return {
        "weights": now.weights - before.weights,
        "active": now.active - before.active,
        "not_in_active": now.mapped - before.mapped,
    }


def _numbers() -> dict[str, Any]:
    """The embedded model's logits: by what is used here, by our kernels for its processor and by
    MLX's operations on it. How far they lie apart tells which of them is wrong."""
    used = _logits({})
    finite = [token for token, logit in enumerate(used) if math.isfinite(logit)]
    found: dict[str, Any] = {
        "likeliest": sorted(finite, key=lambda token: -used[token])[:5],
        "finite": len(finite) == len(used),
        "largest": _largest(used, 4),
    }
    for name, environment in _OTHERS.items():
        other = _logits(environment)
        apart = [a - b for a, b in zip(used, other, strict=True)]
        found[f"apart_from_{name}"] = _largest(apart, 6)
    return found


def _largest(numbers: list[float], digits: int) -> float | None:
    """The size of the largest; None where one is not finite, which JSON has no number for."""
    largest = max(map(abs, numbers))
    return round(largest, digits) if all(map(math.isfinite, numbers)) else None


def _logits(environment: dict[str, str]) -> list[float]:
    """The last of a prompt, computed by a process of its own, as an engine reads its environment
    once."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    if done.returncode != 0:
        raise OSError((done.stderr.splitlines() or ["it ended"])[-1])
    numbers: list[float] = json.loads(done.stdout)
    return numbers


def _speed() -> dict[str, Any]:
    from convergio_mlx.engine.engine import Engine
    from convergio_mlx.generation.sampling import SamplingParams

    found: dict[str, Any] = {}
    with Engine.load(GUIDE_ID) as engine:
        settings = {
            "greedy": SamplingParams(temperature=0, max_tokens=_ANSWER, ignore_eos=True),
            "top_p": SamplingParams(
                temperature=0.8, top_p=0.9, seed=1, max_tokens=_ANSWER, ignore_eos=True
            ),
        }
        for name, params in settings.items():
            times = [_seconds(engine, params) for _ in range(5)]
            found[f"{name}_tokens_per_second"] = round(_ANSWER / sorted(times)[2], 1)
    return found


def _seconds(engine: Any, params: Any) -> float:
    begin = time.perf_counter()
    for _ in engine.generate(_PROMPT, params):
        pass
    return time.perf_counter() - begin
