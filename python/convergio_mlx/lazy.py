"""Public names of a package whose modules are imported when a name is first used (PEP 562)."""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # see the package's own
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


def lazy_names(
    package: dict[str, Any], homes: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The `__getattr__` and `__dir__` of a package.

    Args:
        package: its `globals()`, with `__all__` in it.
        homes: the module, relative to the package, that each public name is in.
    """
    name_of_package = package["__name__"]

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {name_of_package!r} has no attribute {name!r}")
        value = getattr(import_module(f"{name_of_package}.{homes[name]}"), name)
        package[name] = value
        return value

    return get, lambda: sorted(package["__all__"])
