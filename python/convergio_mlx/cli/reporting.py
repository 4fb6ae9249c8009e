"""From an exception to one sentence and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from convergio_mlx.cli import exits
from convergio_mlx.cli.output import RED, OutputError, Stream, standard_error
from convergio_mlx.errors import ConvergioError

_debug = False


def show_tracebacks() -> None:
    """From now on an error comes with its traceback."""
    global _debug  # noqa: PLW0603 (one process, one command line)
    _debug = True


def report(error: Exception, stream: Stream) -> int:
    """Tells a person of an error, and returns its exit code."""
    if _debug:
        stream.line("".join(traceback.format_exception(error)).rstrip())
    if isinstance(error, ConvergioError):
        stream.line(str(error), lead="error: ", style=RED)
        if error.hint and error.hint not in str(error):
            stream.line(error.hint, lead="hint: ", style=RED)
        return exits.exit_code(error.code)
    if isinstance(error, MemoryError):
        stream.line(
            "[cli] there is no memory left; close other programs, or take a smaller model.",
            lead="error: ",
            style=RED,
        )
        return exits.MEMORY
    if isinstance(error, OutputError):
        what = f"the output cannot be written ({error.strerror}); write it elsewhere."
    elif isinstance(error, OSError):
        place = "" if error.filename is None else f" {os.fsdecode(error.filename)!r}"
        what = (
            f"the system refuses access to a file or device{place} "
            f"({error.strerror or type(error).__name__}); make it accessible, or run this again "
            "with --debug to see where that happens."
        )
    else:
        said = " ".join(str(error).split())
        what = (
            f"internal fault, {type(error).__name__}: {said}; run it again with --debug and "
            "report what that shows."
        )
    stream.line(f"[cli] {what}", lead="error: ", style=RED)
    return exits.FAILURE


@contextmanager
def reported() -> Iterator[None]:
    """Ends the process with a sentence on standard error where the block fails."""
    try:
        try:
            yield
        finally:
            _flush()
    except KeyboardInterrupt:
        if sys.stderr.isatty():  # the terminal has just written ^C
            sys.stderr.write("\n")
        sys.exit(exits.INTERRUPTED)
    except BrokenPipeError:
        _discard_output()
        sys.exit(exits.BROKEN_PIPE)
    except Exception as error:
        if isinstance(error, OutputError):
            _discard_output()
        sys.exit(report(error, standard_error()))


def _flush() -> None:
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(error.errno, error.strerror) from error


def _discard_output() -> None:
    """Sends what is still buffered nowhere, so that the interpreter's last flush cannot fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
