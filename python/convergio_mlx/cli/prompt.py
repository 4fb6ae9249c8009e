"""The prompt of a single answer: an argument, or all of standard input."""

from __future__ import annotations

import sys

from convergio_mlx.errors import InvalidRequestError

_MAX_BYTES = 1 << 26


def given_prompt(argument: str | None) -> str:
    """The argument, or what standard input holds where it is None or `-`.

    Raises:
        InvalidRequestError: there is no text, or standard input is too long or not UTF-8.
    """
    text = _standard_input() if argument in {None, "-"} else str(argument)
    if not text.strip():
        raise InvalidRequestError(
            "[cli] the prompt is empty; give a text as the argument or on standard input."
        )
    return text


def _standard_input() -> str:
    if sys.stdin.isatty():
        sys.stderr.write("Type the prompt, then Enter and Ctrl-D:\n")
    data = sys.stdin.buffer.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise InvalidRequestError(
            f"[cli] standard input has more than {_MAX_BYTES >> 20} MiB; give a shorter prompt."
        )
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidRequestError(
            f"[cli] standard input is not UTF-8 at byte {error.start}; convert it first, "
            "for example with iconv."
        ) from error
    return text.removesuffix("\n").removesuffix("\r")
