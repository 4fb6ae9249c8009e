"""Which module of a package imports which, read from the source."""

from __future__ import annotations

import ast
import functools
from pathlib import Path


def imports(module: str, text: str, known: set[str], *, types: bool = False) -> set[str]:
    """The modules of `known` that `text`, the source of `module`, imports, wherever it does.

    Args:
        module: the dotted name, package included.
        text: the source.
        known: dotted names of all modules.
        types: also what is imported for annotations alone, under TYPE_CHECKING.
    """
    return {_module(name, known) for name in _imported(module, text, types)} - {"", module}


def graph(package: Path, *, types: bool = False) -> dict[str, set[str]]:
    """Each module below `package` with those that it imports; of some there are stubs alone."""
    paths = {
        _dotted(path, package): path
        for path in sorted(package.rglob("*.py*"), reverse=True)
        if path.suffix in (".py", ".pyi")
    }
    known = set(paths)
    return {
        name: imports(name, path.read_text(encoding="utf-8"), known, types=types)
        for name, path in paths.items()
    }


@functools.cache
def _imported(module: str, text: str, types: bool) -> frozenset[str]:
    """The names that `text` imports, ours and others."""
    found: set[str] = set()
    _collect(ast.parse(text), module, types, found)
    return frozenset(found)


def _collect(node: ast.AST, module: str, types: bool, found: set[str]) -> None:
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        children = [*(node.body if types else ()), *node.orelse]
    else:
        children = list(ast.iter_child_nodes(node))
    if isinstance(node, ast.Import):
        found |= {alias.name for alias in node.names}
    elif isinstance(node, ast.ImportFrom):
        parents = module.split(".")[: -node.level] if node.level else []
        source = ".".join([*parents, *([node.module] if node.module else [])])
        found |= {f"{source}.{alias.name}" for alias in node.names}
    for child in children:
        if isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case):
            _collect(child, module, types, found)


def _module(name: str, known: set[str]) -> str:
    """The module that `name` is, or is in; empty where it is none of ours."""
    while name and name not in known:
        name = name.rpartition(".")[0]
    return name


def _dotted(path: Path, package: Path) -> str:
    parts = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
