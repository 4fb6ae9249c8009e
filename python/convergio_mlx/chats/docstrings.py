"""What a docstring says of a function and of its parameters: Google's, NumPy's or Sphinx' form."""

from __future__ import annotations

import re

_OF_PARAMETERS = frozenset({"args", "arguments", "parameters", "params"})
_SECTIONS = _OF_PARAMETERS | {
    *("returns", "return", "yields", "yield", "raises", "example", "examples", "note", "notes"),
    *("see also", "references", "warning", "warnings", "attributes", "warns", "methods"),
    *("keyword arguments", "other parameters", "todo"),
}
_HEADER = re.compile(r"(?P<name>[A-Z][A-Za-z]*(?: [A-Z]?[a-z]+)?):?\s*$")
_ITEM = re.compile(r"(?P<name>\*{0,2}\w+)\s*(?:\([^)]*\))?\s*:\s*(?P<text>.*)$")
_NUMPY_ITEM = re.compile(r"(?P<names>\*{0,2}\w+(?:, \*{0,2}\w+)*)\s*(?::.*)?$")
_FIELD = re.compile(r":(?P<kind>\w+)(?P<words>[^:]*):\s*(?P<text>.*)$")


def read_docstring(text: str) -> tuple[str, dict[str, str]]:
    """The description, and that of each parameter that it names.

    Args:
        text: the docstring, without its indent.
    """
    lines = text.splitlines()
    first = next((i for i in range(len(lines)) if _begins_section(lines, i)), len(lines))
    about = _joined(lines[:first])
    found: dict[str, list[str]] = {}
    while first < len(lines):
        end = next((i for i in range(first + 1, len(lines)) if _begins_section(lines, i)), None)
        _read_section(lines[first:end], found)
        first = len(lines) if end is None else end
    return about, {name: _joined(words) for name, words in found.items()}


def _begins_section(lines: list[str], at: int) -> bool:
    return bool(_FIELD.match(lines[at])) or _is_header(lines, at)


def _is_header(lines: list[str], at: int) -> bool:
    header = _HEADER.match(lines[at])
    if header is None or header["name"].lower() not in _SECTIONS:
        return False
    return lines[at].rstrip().endswith(":") or _is_underlined(lines, at)


def _is_underlined(lines: list[str], at: int) -> bool:
    after = lines[at + 1].strip() if at + 1 < len(lines) else ""
    return len(after) > 2 and set(after) <= {"-", "="}


def _read_section(lines: list[str], found: dict[str, list[str]]) -> None:
    field = _FIELD.match(lines[0])
    if field is not None:
        if field["kind"] in ("param", "parameter", "arg", "argument") and field["words"].split():
            found[field["words"].split()[-1]] = [field["text"], *lines[1:]]
        return
    if lines[0].strip(" :").lower() not in _OF_PARAMETERS:
        return
    is_numpy = _is_underlined(lines, 0)
    body = lines[2 if is_numpy else 1 :]
    indent = min((len(line) - len(line.lstrip()) for line in body if line.strip()), default=0)
    names: list[str] = []
    for line in body:
        begins = line[:indent].strip() == "" and line[indent : indent + 1].strip() != ""
        item = (_NUMPY_ITEM if is_numpy else _ITEM).match(line[indent:]) if begins else None
        if item is None:
            for name in names:
                found[name].append(line)
            continue
        names = item["names"].split(", ") if is_numpy else [item["name"]]
        names = [name.lstrip("*") for name in names]
        for name in names:
            found[name] = [] if is_numpy else [item["text"]]


def _joined(lines: list[str]) -> str:
    """Lines as one text: line ends within a paragraph are spaces."""
    paragraphs = "\n".join(line.strip() for line in lines).strip().split("\n\n")
    return "\n\n".join(" ".join(one.split()) for one in paragraphs if one.strip())
