"""The direction of csrc: a room includes what stands to its left, and no files form a circle."""

from __future__ import annotations

import re
import shutil
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

pytestmark = pytest.mark.lint

ROOT = Path(__file__).resolve().parents[1]
CSRC = ROOT / "csrc"

# Every room of csrc, and what its files may include: rooms, and libraries by their first part.
# A room is the deepest folder named here that holds the file.
CORE = {"formats", "io", "arch"}
KERNELS = {"kernels/cpu", "kernels/gpu", "kernels/mlx", "kernels/ops"}
MAY_INCLUDE = {
    "formats": {"formats"},
    "io": {"formats", "io"},
    "arch": CORE,
    "kernels/cpu": {"kernels/cpu"},
    "kernels/bodies": {"formats", "kernels/cpu", "kernels/bodies"},
    "kernels/gpu": {"kernels/gpu"},
    "kernels/mlx": {"formats", "io", *KERNELS - {"kernels/ops"}, "kernels/bodies", "mlx"},
    "kernels/ops": {"formats", *KERNELS, "kernels/bodies", "mlx"},
    "model": {*CORE, *KERNELS, "model", "mlx"},
    "engine": {*CORE, *KERNELS, "model", "engine", "mlx"},
    "bindings": {*CORE, *KERNELS, "model", "engine", "bindings", "mlx", "nanobind", "Python.h"},
}
LIBRARIES = {"mlx", "nanobind", "Python.h"}
# The headers of MLX that move between its versions, and the files that know them.
INSIDE_MLX = re.compile(r"mlx/(backend/(?!metal/metal\.h)|primitives\.h|scheduler\.h)")
KNOW_MLX = {
    "kernels/mlx/primitive.h",
    "kernels/mlx/primitive.cpp",
    "kernels/mlx/mapped_arrays.cpp",
}

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]', re.MULTILINE)


def room_of(name: str) -> str | None:
    """The room of csrc, or the library, that `name` belongs to."""
    parts = name.split("/")
    rooms = ("/".join(parts[:depth]) for depth in range(len(parts) - 1, 0, -1))
    found = next((room for room in rooms if room in MAY_INCLUDE), None)
    return found or (parts[0] if parts[0] in LIBRARIES else None)


def include_faults(csrc: Path) -> list[str]:
    """What is wrong with the #include lines of the files in `csrc`, circles of files included."""
    sources = sorted(p for p in csrc.rglob("*") if p.suffix in {".h", ".cpp", ".mm"})
    faults = []
    graph: dict[str, set[str]] = {}
    for source in sources:
        path = source.relative_to(csrc).as_posix()
        room = room_of(path)
        if room not in MAY_INCLUDE:
            faults.append(f"{path} lies in no room of the table")
            continue
        for quote, name in INCLUDE.findall(source.read_text()):
            target = room_of(name)
            if target is None:
                if quote == '"':
                    faults.append(f"{path} includes {name}, which is not written from csrc")
            elif target not in MAY_INCLUDE[room]:
                faults.append(f"{path} includes {name}, which does not stand to the left of {room}")
            elif target in MAY_INCLUDE and not (csrc / name).is_file():
                faults.append(f"{path} includes {name}, which does not exist")
            elif target in MAY_INCLUDE:
                graph.setdefault(path, set()).add(name)
            if INSIDE_MLX.match(name) and path not in KNOW_MLX:
                faults.append(f"{path} includes {name}, an inside of MLX")
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        faults.append("a circle of files: " + " includes ".join(reversed(error.args[1])))
    return faults


def test_every_include_of_csrc_points_left() -> None:
    assert not include_faults(CSRC)


def test_the_rooms_themselves_have_no_circle() -> None:
    order = TopologicalSorter(
        {room: allowed - {room} for room, allowed in MAY_INCLUDE.items()}
    ).static_order()
    assert {room for room in order if room not in LIBRARIES} == set(MAY_INCLUDE)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of csrc to plant faults in."""
    shutil.copytree(CSRC, tmp_path / "csrc")
    return tmp_path / "csrc"


def plant(file: Path, *lines: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    before = file.read_text() if file.exists() else ""
    file.write_text(before + "\n" + "\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("path", "line", "fault"),
    [
        ("io/a.h", '#include "arch/config.h"', "does not stand to the left of io"),
        ("io/a.h", "#include <mlx/array.h>", "does not stand to the left of io"),
        ("arch/a.h", '#  include "mlx/ops.h"', "does not stand to the left of arch"),
        (
            "kernels/ops/a.cpp",
            '#include "io/error.h"',
            "does not stand to the left of kernels/ops",
        ),
        (
            "kernels/cpu/a.cpp",
            '#include "kernels/ops/linear.h"',
            "does not stand to the left of kernels/cpu",
        ),
        (
            "kernels/cpu/deep/a.h",
            '#include "mlx/ops.h"',
            "does not stand to the left of kernels/cpu",
        ),
        (
            "kernels/bodies/a.inl.h",
            '#include "kernels/mlx/operand.h"',
            "does not stand to the left of kernels/bodies",
        ),
        (
            "model/a.cpp",
            '#include "kernels/bodies/kernel_set.h"',
            "does not stand to the left of model",
        ),
        ("engine/a.cpp", "#include <nanobind/nanobind.h>", "does not stand to the left of engine"),
        ("model/a.cpp", '#include "cache.h"', "is not written from csrc"),
        ("model/a.cpp", '#include "kernels/primitive.h"', "is not written from csrc"),
        ("model/a.cpp", '#include "io/nothing.h"', "does not exist"),
        ("model/a.cpp", '#include "mlx/backend/cpu/encoder.h"', "an inside of MLX"),
        ("kernels/a.h", "", "lies in no room of the table"),
        ("new/a.h", "", "lies in no room of the table"),
    ],
)
def test_a_wrong_include_is_found(tree: Path, path: str, line: str, fault: str) -> None:
    plant(tree / path, line)
    faults = include_faults(tree)
    assert len(faults) == 1
    assert faults[0].startswith(path)
    assert faults[0].endswith(fault)


def test_a_circle_of_files_is_found(tree: Path) -> None:
    plant(tree / "model/a.h", '#include "model/b.h"')
    plant(tree / "model/b.h", '#include "model/c.h"')
    plant(tree / "model/c.h", '#include "model/a.h"')
    [fault] = include_faults(tree)
    assert fault.startswith("a circle of files: ")
    assert {"model/a.h", "model/b.h", "model/c.h"} <= set(fault.split())


def test_an_arrow_back_inside_a_folder_is_found(tree: Path) -> None:
    # cache.h is below attention.h: both are in the same folder, so only the files tell
    plant(tree / "model/cache.h", '#include "model/attention.h"')
    [fault] = include_faults(tree)
    assert fault.startswith("a circle of files: ")
    assert {"model/cache.h", "model/attention.h"} <= set(fault.split())
