"""What nanobind converts in noexcept functions is not what bound functions take: an allocation that
fails there would end the process (csrc/bindings/read.h, objects.h)."""

import re
from pathlib import Path

BINDINGS = Path(__file__).resolve().parents[1] / "csrc" / "bindings"
ALLOCATES = re.compile(r"std::(string|vector|set|map|unordered_map|shared_ptr|filesystem|tuple)\b")
LAMBDA = re.compile(r"\[\]\(([^)]*)\)")
NAMED = re.compile(r"&(\w+)[,)]")


def parameters(source: str) -> list[str]:
    """Those of the functions that a file binds: lambdas, and functions of the file."""
    helpers, *binders = source.split("\nvoid bind_")
    found = []
    for binder in binders:
        found += LAMBDA.findall(binder)
        for name in NAMED.findall(binder):
            found += re.findall(rf"^\S[^\n]* {name}\(([^)]*)\) {{", helpers, re.MULTILINE)
    return found


def test_no_bound_function_takes_a_container() -> None:
    taken = [
        f"{path.name}: {one}"
        for path in sorted(BINDINGS.glob("*.cpp"))
        for one in parameters(path.read_text())
        if ALLOCATES.search(one)
    ]
    assert taken == []


def test_no_text_or_container_is_read_by_nanobind_itself() -> None:
    reads = [
        f"{path.name}: {read}"
        for path in sorted([*BINDINGS.glob("*.cpp"), *BINDINGS.glob("*.h")])
        for read in re.findall(r"nb::cast<std::[^(]*", path.read_text())
    ]
    assert reads == []


def test_bound_functions_make_their_objects() -> None:
    made = [
        path.name
        for path in sorted(BINDINGS.glob("*.cpp"))
        if re.search(r'"__init__"|nb::init<|new \(self\)', path.read_text())
    ]
    assert made == []
