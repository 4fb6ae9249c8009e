"""The direction of the tree: a folder of csrc includes only what stands to its left, and the
Python modules import without a circle, the command line last.
"""

from __future__ import annotations

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CSRC = ROOT / "csrc"
PACKAGE = ROOT / "python" / "convergio_mlx"

MAY_INCLUDE = {
    "io": {"io"},
    "arch": {"io", "arch"},
    "kernels": {"kernels", "mlx"},
    "model": {"io", "arch", "kernels", "model", "mlx"},
    "engine": {"io", "arch", "kernels", "model", "engine", "mlx"},
    "bindings": {
        "io",
        "arch",
        "kernels",
        "model",
        "engine",
        "bindings",
        "mlx",
        "nanobind",
        "Python.h",
    },
}
# The headers of MLX that move between its versions, and the files that know them.
INSIDE_MLX = re.compile(r"mlx/(backend/|primitives\.h|scheduler\.h)")
KNOW_MLX = {"kernels/primitive.h", "kernels/primitive.cpp", "kernels/alien.cpp"}
# The modules people and programs enter by: none of the others imports one.
ENTRANCES = {"cli", "__main__"}

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]', re.MULTILINE)
SOURCES = sorted(p for p in CSRC.rglob("*") if p.suffix in {".h", ".cpp", ".mm"})
MODULES = sorted(PACKAGE.rglob("*.py"))


def include_faults(path: Path, text: str) -> list[str]:
    """What is wrong with the #include lines of csrc/`path`, whose content is `text`."""
    folder = path.parts[0]
    faults = []
    for quote, name in INCLUDE.findall(text):
        target = name.split("/")[0]
        known = target in {*MAY_INCLUDE, *MAY_INCLUDE["bindings"]}
        if quote == '"' and not known:
            faults.append(f"{path} includes {name}, which is not written from csrc")
        elif known and target not in MAY_INCLUDE[folder]:
            faults.append(f"{path} includes {name}, which does not stand to the left of {folder}")
        elif target in MAY_INCLUDE and not (CSRC / name).is_file():
            faults.append(f"{path} includes {name}, which does not exist")
        if INSIDE_MLX.match(name) and path.as_posix() not in KNOW_MLX:
            faults.append(f"{path} includes {name}, an inside of MLX")
    return faults


def imports(module: str, text: str) -> set[str]:
    """Modules of the package that `text` imports at run time, wherever in it."""
    tree = ast.parse(text)
    only_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for child in node.body
        for inner in ast.walk(child)
    }
    found = set()
    for node in ast.walk(tree):
        if node in only_types:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            source = ("convergio_mlx." if node.level else "") + (node.module or "")
            found |= {f"{source.rstrip('.')}.{alias.name}" for alias in node.names} | {source}
    ours = {name.split(".")[1] for name in found if name.startswith("convergio_mlx.")}
    return (ours & {module_name(path) for path in MODULES}) - {module}


def module_name(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def test_every_folder_of_csrc_is_in_the_table() -> None:
    assert {path.relative_to(CSRC).parts[0] for path in SOURCES} <= set(MAY_INCLUDE)
    assert SOURCES


@pytest.mark.parametrize("folder", MAY_INCLUDE)
def test_includes_point_left(folder: str) -> None:
    faults = [
        fault
        for path in SOURCES
        if path.relative_to(CSRC).parts[0] == folder
        for fault in include_faults(path.relative_to(CSRC), path.read_text())
    ]
    assert not faults


@pytest.mark.parametrize(
    ("path", "line", "fault"),
    [
        ("io/a.h", '#include "arch/config.h"', "does not stand to the left of io"),
        ("io/a.h", "#include <mlx/array.h>", "does not stand to the left of io"),
        ("arch/a.h", '#  include "mlx/ops.h"', "does not stand to the left of arch"),
        ("kernels/a.cpp", '#include "io/error.h"', "does not stand to the left of kernels"),
        ("engine/a.cpp", "#include <nanobind/nanobind.h>", "does not stand to the left of engine"),
        ("model/a.cpp", '#include "cache.h"', "is not written from csrc"),
        ("model/a.cpp", '#include "io/nothing.h"', "does not exist"),
        ("model/a.cpp", '#include "mlx/backend/cpu/encoder.h"', "an inside of MLX"),
    ],
)
def test_a_wrong_include_is_found(path: str, line: str, fault: str) -> None:
    assert [said for said in include_faults(Path(path), line) if said.endswith(fault)]


def test_python_modules_import_without_a_circle_and_the_command_line_last() -> None:
    graph: dict[str, set[str]] = {}
    for path in MODULES:
        name = module_name(path)
        graph.setdefault(name, set()).update(imports(name, path.read_text()))
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle
    importers = {name for name, targets in graph.items() if targets & ENTRANCES}
    assert importers <= ENTRANCES


def test_imports_are_found_wherever_they_stand() -> None:
    text = """
from typing import TYPE_CHECKING
from convergio_mlx import errors
if TYPE_CHECKING:
    from convergio_mlx.text.tokenizer import Tokenizer
def later() -> None:
    from convergio_mlx.engine import Engine
    import convergio_mlx.sampling
    import jinja2
"""
    assert imports("generation", text) == {"errors", "engine", "sampling"}
