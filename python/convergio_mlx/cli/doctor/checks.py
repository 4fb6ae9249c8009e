"""What works on this machine, what does not, and why. Uses no network and changes nothing."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from convergio_mlx.errors import ConvergioError
from convergio_mlx.platform.hardware.apple import lacks_matrix_units
from convergio_mlx.platform.hardware.detect import detect
from convergio_mlx.platform.hardware.facts import Hardware
from convergio_mlx.platform.home import home
from convergio_mlx.platform.machine import Availability, availability
from convergio_mlx.platform.native import native
from convergio_mlx.platform.offline import offline_reason
from convergio_mlx.platform.user_config import load_config
from convergio_mlx.registry import load_registry
from convergio_mlx.sizing.fit import memory_for_models, size
from convergio_mlx.store import InstalledModel, disk_usage, installed
from convergio_mlx.version import __version__

State = Literal["ok", "warning", "failure"]
_LITTLE_DISK = 2_000_000_000
"""Bytes; too little for most models."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    state: State
    text: str
    """What was found, on one line."""
    remedy: str | None = None
    """What to do about it; a command where there is one."""

    def as_json(self) -> dict[str, Any]:
        """The fields by name."""
        return asdict(self)


def examine() -> Iterator[Finding]:
    """Runs one check after another; a check that fails to run is a finding too."""
    can_run, machine = availability(), detect()
    looks: tuple[tuple[str, Callable[[], Iterator[Finding]]], ...] = (
        ("program", lambda: _program(can_run)),
        ("processor", lambda: _processor(machine)),
        ("GPU", lambda: _gpu(machine, can_run)),
        ("memory", lambda: _memory(machine, can_run)),
        ("answers", lambda: _answers(can_run)),
        ("disk", _disk),
        ("models", _models),
        ("configuration", _configuration),
        ("registry", _registry),
        ("network", _network),
    )
    for subject, look in looks:
        try:
            yield from look()
        except (ConvergioError, OSError) as error:
            yield Finding(subject, "failure", " ".join(str(error).split()))


def _program(can_run: Availability) -> Iterator[Finding]:
    yield Finding(
        "program", "ok", f"convergio-mlx {__version__} on Python {platform.python_version()}"
    )
    if not can_run:
        yield Finding("MLX", "failure", " ".join(can_run.reasons))
        return
    where = {"metal": "the Apple GPU", "cuda": "an NVIDIA GPU", "cpu": "the CPU"}
    yield Finding(
        "MLX", "ok", f"{native().mlx_version()}, computes on {where[can_run.backend or 'cpu']}"
    )


def _processor(machine: Hardware) -> Iterator[Finding]:
    kinds = ""
    if machine.performance_cores:
        kinds = f" ({machine.performance_cores} performance"
        kinds += f", {machine.efficiency_cores} efficiency)" if machine.efficiency_cores else ")"
    cores = f"{machine.cores} core{'' if machine.cores == 1 else 's'} used{kinds}"
    sets = ""
    if machine.instruction_sets:
        sets = f", kernels {native().active_isa()} of {', '.join(machine.instruction_sets)}"
    yield Finding("system", "ok", f"{machine.system}, {machine.machine}")
    yield Finding("processor", "ok", f"{machine.chip}, {cores}{sets}")


def _gpu(machine: Hardware, can_run: Availability) -> Iterator[Finding]:
    for gpu in machine.gpus:
        cores = f", {gpu.cores} cores" if gpu.cores else ""
        memory = f", {size(gpu.memory)}" if gpu.memory else ""
        free = f", {size(gpu.free)} free" if gpu.free is not None else ""
        driver = f", driver {gpu.driver}" if gpu.driver else ""
        text = f"{gpu.name}{cores}{memory}{free}{driver}"
        if can_run.backend == "cpu":
            remedy = (
                "docs/nvidia.md explains how to install MLX for it" if gpu.kind == "cuda" else None
            )
            yield Finding("GPU", "warning", f"{text}; MLX does not use it", remedy)
        else:
            yield Finding("GPU", "ok", text)
    if can_run.backend in {"metal", "cuda"} and (why := native().gpu_kernels()) != "used":
        text = f"tokens are drawn by MLX's operations, not by our kernels: {' '.join(why.split())}"
        is_wanted = os.environ.get("CONVERGIO_MLX_GPU_KERNELS") == "0"
        remedy = "convergio-mlx doctor --report makes a file to attach to an issue"
        remedy = "unset CONVERGIO_MLX_GPU_KERNELS to have them tried" if is_wanted else remedy
        yield Finding("GPU kernels", "ok" if is_wanted else "warning", text, remedy)
    if lacks_matrix_units(machine.chip, machine.system):
        text = f"{machine.system}: from macOS 26.2 on MLX uses its units for matrices"
        yield Finding("GPU", "warning", text, "update macOS, then reinstall convergio-mlx")
    if not machine.gpus:
        yield Finding("GPU", "warning", "none: models run on the CPU, which is slower")


def _memory(machine: Hardware, can_run: Availability) -> Iterator[Finding]:
    known = machine.memory
    limit = ", limited by a control group" if known.limited_by == "cgroup" else ""
    yield Finding("memory", "ok", f"{size(known.total)}{limit}, {size(known.available)} available")
    if can_run.backend in {"metal", "cuda"} and (models := memory_for_models()):
        yield Finding("GPU memory", "ok", f"{size(models.available)} for models")


def _answers(can_run: Availability) -> Iterator[Finding]:
    """Has the embedded model answer, which needs all of the engine."""
    if not can_run:
        return
    from convergio_mlx.engine.engine import Engine
    from convergio_mlx.generation.sampling import SamplingParams
    from convergio_mlx.store.locate import GUIDE_ID

    with Engine.load(GUIDE_ID) as engine:
        answer = engine.generate(
            [{"role": "user", "content": "hello"}], SamplingParams(temperature=0, max_tokens=8)
        )
        count = sum(len(chunk.token_ids) for chunk in answer)
    yield Finding("answers", "ok", f"{GUIDE_ID} answered with {count} tokens")


def _disk() -> Iterator[Finding]:
    used = disk_usage()
    parts = [f"{size(used.models)} of models"]
    parts += [f"{size(used.partial)} of unfinished downloads"] if used.partial else []
    parts += [f"{size(used.trash)} waiting to be deleted"] if used.trash else []
    text = f"{home()}: {', '.join(parts)}, {size(used.free)} free"
    yield Finding("disk", "warning" if used.free < _LITTLE_DISK else "ok", text)


def _models() -> Iterator[Finding]:
    found = installed()
    if not found:
        text = "none installed but the embedded demonstration"
        yield Finding("models", "ok", text, "convergio-mlx setup")
    for one in found:
        fault = _fault(one)
        if fault is None:
            yield Finding("model", "ok", f"{one.model}, {size(one.size_bytes)}")
        else:
            remedy = f"convergio-mlx models repair {one.model}" if one.has_receipt else None
            state: State = "failure" if one.has_receipt else "warning"
            yield Finding("model", state, f"{one.model}: {fault}", remedy)


def _fault(model: InstalledModel) -> str | None:
    """What is wrong with a model's files by name and size; `models verify` reads every byte."""
    if not model.has_receipt:
        return "copied there by hand, so it cannot be verified"
    if model.receipt is None:
        return "its receipt is damaged"
    for file in model.receipt.files:
        path = model.folder / file.name
        if path.is_symlink() or not path.is_file():
            return f"{file.name} is missing"
        if (length := path.stat().st_size) != file.size_on_disk:
            return f"{file.name} has {length} bytes where {file.size_on_disk} were installed"
    return None


def _configuration() -> Iterator[Finding]:
    config = load_config()
    for problem in config.problems:
        yield Finding("configuration", "warning", problem)
    if config.default_model is not None:
        from convergio_mlx.store.locate import locate

        try:
            locate(config.default_model)
        except ConvergioError as error:
            yield Finding("default model", "failure", str(error), error.hint)
        else:
            yield Finding("default model", "ok", config.default_model)


def _registry() -> Iterator[Finding]:
    registry = load_registry()
    yield Finding("registry", "ok", f"{len(registry)} models to download")
    for problem in registry.problems:
        yield Finding("registry", "warning", problem)


def _network() -> Iterator[Finding]:
    if reason := offline_reason():
        yield Finding("network", "ok", f"not used: {reason}")
        return
    from convergio_mlx.platform.http import without_credentials

    endpoint = without_credentials(os.environ.get("HF_ENDPOINT") or "https://huggingface.co")
    token = " with a token" if os.environ.get("HF_TOKEN") else ""
    yield Finding(
        "network",
        "ok",
        f"downloads come from {endpoint}{token} or the index of pip; nothing else uses it",
    )
