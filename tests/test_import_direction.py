"""The direction of the Python package: a sub-package imports only what stands before it, and no
module imports one that leads back to itself, for annotations alone neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from import_graph import graph, imports

pytestmark = pytest.mark.lint

ROOT = Path(__file__).resolve().parents[1]
NAME = "convergio_mlx"
PACKAGE = ROOT / "python" / NAME

ORDER = (
    "_native",
    "_mlx_version",
    "errors",
    "lazy",
    "version",
    "platform",
    "registry",
    "text",
    "structured",
    "convert",
    "store",
    "sizing",
    "generation",
    "chats",
    "engine",
    "providers",
    "",  # the package itself: the public names
    "testing",
    "pyinstaller",
    "server",
    "cli",
    "__main__",
)
"""The package's parts: each imports only itself and what stands before it."""


def part(module: str) -> str:
    """The part of the package that a module belongs to; empty for the package itself."""
    return module.split(".")[1] if "." in module else ""


def circle(edges: Mapping[str, set[str]]) -> list[str]:
    """A circle of modules, or nothing."""
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def arrows_back(edges: Mapping[str, set[str]]) -> list[str]:
    """Imports of what stands later in the order."""
    place = {name: index for index, name in enumerate(ORDER)}
    return sorted(
        f"{module} imports {target}"
        for module, targets in edges.items()
        for target in targets
        if place[part(module)] < place[part(target)]
    )


def modules() -> dict[str, set[str]]:
    """The graph of the package."""
    return graph(PACKAGE, types=True)


def test_every_part_has_its_place() -> None:
    assert {part(module) for module in modules()} == set(ORDER)


def test_no_module_imports_in_a_circle() -> None:
    assert circle(modules()) == []


def test_no_part_imports_what_stands_after_it() -> None:
    assert arrows_back(modules()) == []


def test_a_planted_circle_inside_a_part_is_found() -> None:
    edges = {**modules()}
    edges[f"{NAME}.text.detokenizer"] = {f"{NAME}.text.tokenizer"}
    assert f"{NAME}.text.detokenizer" in circle(edges)


def test_a_planted_arrow_back_is_found() -> None:
    edges = {**modules()}
    edges[f"{NAME}.text.messages"] = {f"{NAME}.chats.events"}
    assert arrows_back(edges) == [f"{NAME}.text.messages imports {NAME}.chats.events"]


@pytest.mark.parametrize(
    ("line", "target"),
    [
        ("from convergio_mlx import errors", "errors"),
        ("from convergio_mlx.text.tokenizer import Tokenizer", "text.tokenizer"),
        ("from convergio_mlx.text import tokenizer", "text.tokenizer"),
        ("def later() -> None:\n    import convergio_mlx.engine.engine", "engine.engine"),
        ("try:\n    from . import stream\nexcept ImportError:\n    pass", "chats.stream"),
        ("from ..text import messages", "text.messages"),
        ("if TYPE_CHECKING:\n    pass\nelse:\n    import convergio_mlx.lazy", "lazy"),
    ],
)
def test_imports_are_found_wherever_they_stand(line: str, target: str) -> None:
    known = {f"{NAME}.{target}", f"{NAME}.chats.plan"}
    assert imports(f"{NAME}.chats.plan", line, known) == {f"{NAME}.{target}"}


def test_imports_for_annotations_count_only_when_asked_for() -> None:
    text = "if TYPE_CHECKING:\n    from convergio_mlx.text.tokenizer import Tokenizer\n"
    known = {f"{NAME}.text.tokenizer"}
    assert imports(f"{NAME}.chats.plan", text, known) == set()
    assert imports(f"{NAME}.chats.plan", text, known, types=True) == known
