"""What a chat template may build: the price of an operation, known before it runs.

Most operations give no more than they are given. Here are the ones that can give much more (a
repetition, a padding, a replacement, a format's width), and an upper bound of what each makes.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, ItemsView, Iterable, KeysView, ValuesView
from datetime import datetime
from typing import Any

from jinja2.exceptions import SecurityError, TemplateRuntimeError
from jinja2.utils import Namespace

MAX_SECONDS = 5.0
"""Of the thread's own time. A rendering takes milliseconds; one that takes this will not end."""
MAX_CHARACTERS = 1 << 28
"""All that one rendering may build, kept or not: far beyond any context window."""

ELEMENT = 8
"""What an element of a container costs in characters: a pointer."""

CONTAINERS = (list, tuple, dict, KeysView, ValuesView, ItemsView)
_MAX_BITS = 1 << 12
_PERCENT_WIDTH = re.compile(r"%[^%a-zA-Z]*?(\d+)")
_BRACE_WIDTH = re.compile(r"\{[^{}]*:[^{}]*?(\d+)")
_NESTED_WIDTH = re.compile(r"\{[^{}]*:[^{}]*\{")


class BudgetError(TemplateRuntimeError):
    """The template went beyond its budget."""


class Budget:
    """What one rendering may still use, and the moment it takes for now."""

    def __init__(self, now: datetime | None = None) -> None:
        """`now`: what `strftime_now` formats; the clock's time without it."""
        self.now = now
        self._left = MAX_CHARACTERS
        self._deadline = time.thread_time() + MAX_SECONDS
        self._known: dict[int, tuple[Any, int, int]] = {}

    def charge(self, size: int) -> None:
        """Pays for `size` characters or elements.

        Raises:
            BudgetError: the budget is used up, or the time is.
        """
        self._left -= size
        if self._left < 0:
            raise BudgetError(f"it builds more than {MAX_CHARACTERS} characters")
        if time.thread_time() > self._deadline:
            raise BudgetError(f"it computes for more than {MAX_SECONDS:g} seconds")

    def size(self, value: Any) -> int:
        """Characters and elements of a value when written out.

        A container held in several places counts in each of them, but is walked once.

        Raises:
            BudgetError: it is larger than the whole budget.
        """
        return self._measure(value)[0]

    def depth(self, value: Any) -> int:
        """How deeply containers are nested in a value; 0 for a plain one."""
        return self._measure(value)[1]

    def _measure(self, value: Any) -> tuple[int, int]:
        if isinstance(value, str):
            return len(value), 0
        if isinstance(value, Namespace):
            raise SecurityError("a namespace cannot be written or kept in a list")
        if not isinstance(value, CONTAINERS):
            return 1, 0
        if (known := self._known.get(id(value))) is not None:
            return known[1:]
        size, depth = 1, 0
        parts: Iterable[Any] = value
        if isinstance(value, dict):
            parts = [*value, *value.values()]
        for part in parts:
            part_size, part_depth = self._measure(part)
            size, depth = size + part_size, max(depth, part_depth)
        if size > MAX_CHARACTERS:
            raise BudgetError(f"it builds more than {MAX_CHARACTERS} characters")
        self._known[id(value)] = value, size, depth + 1  # the value too: its id stays its own
        return size, depth + 1


Price = Callable[..., int]
"""Takes a budget (to measure with) and the operation's operands; gives characters or elements."""


def _add(_: Budget, left: Any, right: Any) -> int:
    if isinstance(left, str) and isinstance(right, str):
        return len(left) + len(right)
    both = isinstance(left, list | tuple) and isinstance(right, list | tuple)
    return (len(left) + len(right)) * ELEMENT if both else 1


def _multiply(_: Budget, left: Any, right: Any) -> int:
    if isinstance(left, int) and isinstance(right, int):
        return _integer(left.bit_length() + right.bit_length())
    times, thing = (left, right) if isinstance(left, int) else (right, left)
    repeats = isinstance(times, int) and isinstance(thing, str | bytes | list | tuple)
    each = 1 if isinstance(thing, str) else ELEMENT
    return len(thing) * max(times, 0) * each if repeats else 1


def _power(_: Budget, left: Any, right: Any) -> int:
    integers = isinstance(left, int) and isinstance(right, int)
    return _integer(left.bit_length() * max(right, 0)) if integers else 1


def _integer(bits: int) -> int:
    if bits > _MAX_BITS:
        raise BudgetError(f"it computes a number of more than {_MAX_BITS} bits")
    return 1


def _modulo(budget: Budget, left: Any, right: Any) -> int:
    return _percent(budget, left, right) if isinstance(left, str) else 1


OPERATORS: dict[str, Price] = {"+": _add, "*": _multiply, "**": _power, "%": _modulo}
"""The binary operators that can make more than they take."""


def _format(budget: Budget, form: str, mark: str, widths: list[int], values: list[Any]) -> int:
    """Every field is as wide as the widest, or as long as all values together."""
    size = sum(map(budget.size, values))
    return len(form) + form.count(mark) * (max(widths, default=0) + size)


def _text_of(budget: Budget, value: Any) -> str:
    if not isinstance(value, str):
        budget.charge(budget.size(value))
    return str(value)


def _percent(budget: Budget, form: Any, *args: Any, **kwargs: Any) -> int:
    values = [*args, *kwargs.values()]
    flat = [item for value in values for item in (value if isinstance(value, tuple) else [value])]
    text = _text_of(budget, form)
    widths = [int(digits[:12]) for digits in _PERCENT_WIDTH.findall(text)]
    if "*" in text:
        widths += [value for value in flat if isinstance(value, int)]
    return _format(budget, text, "%", widths, flat)


def _braces(budget: Budget, form: str, *args: Any, **kwargs: Any) -> int:
    values = [*args, *kwargs.values()]
    widths = [int(digits[:12]) for digits in _BRACE_WIDTH.findall(form)]
    if _NESTED_WIDTH.search(form):
        widths += [value for value in values if isinstance(value, int)]
    return _format(budget, form, "{", widths, values)


def _pad(budget: Budget, text: Any, width: int = 80, *_: Any) -> int:
    return max(budget.size(text), int(width))


def _expand_tabs(_: Budget, text: str, tabsize: int = 8) -> int:
    return len(text) + text.count("\t") * max(tabsize, 0)


def _replace(budget: Budget, text: Any, old: Any, new: Any, *_: Any, **__: Any) -> int:
    whole = _text_of(budget, text)
    return len(whole) + whole.count(_text_of(budget, old)) * budget.size(new)


def _join(budget: Budget, separator: Any, parts: list[Any]) -> int:
    return sum(map(budget.size, parts)) + len(parts) * budget.size(separator)


def _join_filter(budget: Budget, parts: list[Any], d: Any = "", attribute: Any = None) -> int:
    return _join(budget, d, parts)


def _indent(budget: Budget, text: Any, width: Any = 4, *_: Any, **__: Any) -> int:
    size = width if isinstance(width, int) else len(str(width))
    return budget.size(text) + (_text_of(budget, text).count("\n") + 1) * max(size, 0)


def _rows(budget: Budget, _: Any, count: int, *__: Any, **___: Any) -> int:
    return max(int(count), 0) * ELEMENT


def _round(_: Budget, value: Any, precision: int = 0, method: str = "common") -> int:
    return _integer(4 * abs(precision))


def _wrap(budget: Budget, text: Any, *args: Any, **kwargs: Any) -> int:
    mark = kwargs.get("wrapstring") or (args[2] if len(args) > 2 else None) or "\n"
    return (budget.size(text) + 1) * (1 + budget.size(mark))


def _sum(budget: Budget, values: Any, attribute: Any = None, start: Any = 0) -> int:
    if not isinstance(start, int | float):
        raise SecurityError(f"'sum' adds numbers and cannot start with a {type(start).__name__}")
    return 1


def _to_json(budget: Budget, value: Any, *args: Any, **kwargs: Any) -> int:
    names = ("ensure_ascii", "indent", "separators", "sort_keys")
    options = {**dict(zip(names, args, strict=False)), **kwargs}
    indent = options.get("indent") or 0
    width = indent if isinstance(indent, int) else len(str(indent))
    marks = budget.size(options.get("separators"))
    return budget.size(value) * (6 + marks + width * budget.depth(value))


def _text(budget: Budget, *args: Any, **kwargs: Any) -> int:
    return sum(map(budget.size, args)) + sum(map(budget.size, kwargs.values()))


_WRITERS = (
    *("capitalize", "lower", "title", "trim", "truncate", "upper", "wordcount"),
    *("e", "escape", "forceescape", "pprint", "safe", "string", "striptags", "urlencode"),
)

FILTERS: dict[str, Price] = {
    "batch": _rows,
    "center": _pad,
    "format": _percent,
    "indent": _indent,
    "join": _join_filter,
    "replace": _replace,
    "round": _round,
    "slice": _rows,
    "sum": _sum,
    "tojson": _to_json,
    "wordwrap": _wrap,
    **dict.fromkeys(_WRITERS, _text),
}
"""The filters that write their value out or can make more than they take."""

METHODS: dict[str, Price] = {
    "center": _pad,
    "expandtabs": _expand_tabs,
    "format": _braces,
    "format_map": _braces,
    "join": _join,
    "ljust": _pad,
    "replace": _replace,
    "rjust": _pad,
    "zfill": _pad,
}
"""The methods of a text that can make more than they take."""


def method_price(budget: Budget, text: str, name: str, *args: Any, **kwargs: Any) -> int:
    """The price of calling a text's method; `translate`, which has no cheap bound, is refused."""
    if name == "translate":
        raise SecurityError("'translate' is not available; use 'replace'")
    price: Price = METHODS.get(name, _text)
    return price(budget, text, *args, **kwargs)
