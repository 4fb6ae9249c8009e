"""Numbers that a person types."""

from __future__ import annotations

from argparse import ArgumentTypeError

_MOST_DIGITS = 30
"""Of a whole number; no option takes one of more."""


def whole(text: str) -> int:
    """A whole number, as a type of argparse.

    Raises:
        ArgumentTypeError: it is none, or has more than 30 digits.
    """
    if len(text) > _MOST_DIGITS:
        raise ArgumentTypeError(f"{_shown(text)} has more than {_MOST_DIGITS} digits")
    try:
        return int(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{_shown(text)} is not a whole number") from error


def number(text: str) -> float:
    """A number with or without a fraction, as a type of argparse.

    Raises:
        ArgumentTypeError: it is none.
    """
    try:
        return float(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{_shown(text)} is not a number") from error


def menu_number(text: str) -> int | None:
    """The number of a line of a menu, from 1; None where the text is none."""
    is_short = text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS
    return int(text) if is_short else None


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}…")
