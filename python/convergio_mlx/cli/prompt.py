"""The prompt of a single answer: an argument, standard input, or both."""

from __future__ import annotations

import sys

from convergio_mlx.cli.output import Stream
from convergio_mlx.cli.waiting import Waiting
from convergio_mlx.errors import InvalidRequestError

_MAX_BYTES = 1 << 26


def question(argument: str | None, err: Stream) -> str:
    """What to ask in a chat: the argument, and below it what is piped in; only that where the
    argument is None or `-`.

    Args:
        argument: of the command line.
        err: where a person at a terminal is told what is waited for.

    Raises:
        InvalidRequestError: there is no text, or standard input is too long or not UTF-8.
    """
    argument, piped = _given(argument, err)
    return _not_empty("\n\n".join(text for text in (argument, piped) if text.strip()))


def text_to_continue(argument: str | None, err: Stream) -> str:
    """The text to continue: the argument, or what is piped in, but not both.

    Raises:
        InvalidRequestError: as `question`, or there are two texts.
    """
    argument, piped = _given(argument, err)
    if argument and piped.strip():
        raise InvalidRequestError(
            "[cli] there is a text as the argument and another on standard input, and only one can "
            "be continued; give one of them, or add `< /dev/null`."
        )
    return _not_empty(argument or piped)


def _not_empty(text: str) -> str:
    if not text.strip():
        raise InvalidRequestError(
            "[cli] the prompt is empty; give a text as the argument or on standard input."
        )
    return text


def _given(argument: str | None, err: Stream) -> tuple[str, str]:
    """The argument's text, and that of standard input; each is empty where there is none."""
    if argument in {None, "-"}:
        return "", _standard_input(err)
    at_terminal = sys.stdin is not None and sys.stdin.isatty()
    return str(argument), "" if at_terminal else _standard_input(err)


def _standard_input(err: Stream) -> str:
    if sys.stdin is None:  # it is closed
        return ""
    if sys.stdin.isatty():
        err.line("Type the prompt, then Enter and Ctrl-D:")
        data = sys.stdin.buffer.read(_MAX_BYTES + 1)
    else:
        with Waiting(err, "reading standard input"):
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
