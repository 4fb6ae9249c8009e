"""Processes in which one call on the file system fails, made by one that has imported everything.

As a program, with failing_files.c preloaded: reads commands on standard input, `DEED NTH ERRNO
LASTS`, forks a process that does the deed with that call failing, and writes what came of it as a
line of JSON.
"""

import ctypes
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from convergio_mlx import store
from convergio_mlx.errors import ConvergioError
from store.models import MODEL

SOURCE = Path(__file__).parent / "failing_files.c"


@dataclass(frozen=True)
class Outcome:
    """What came of a deed."""

    error: str | None
    """The exception's class; None where there was none."""
    text: str
    is_typed: bool
    call: str
    """The call that failed; empty where the deed makes fewer."""


class FailingDisk:
    """Does deeds in processes of their own, in which calls on files below `root` fail."""

    def __init__(self, library: Path, root: Path, source: Path) -> None:
        tests = Path(__file__).parents[1]
        paths = [str(tests), os.environ.get("PYTHONPATH", "")]
        self._maker = subprocess.Popen(
            [sys.executable, __file__, str(library), str(root), str(source)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "LD_PRELOAD": str(library),
                "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            },
        )

    def do(self, deed: str, nth: int, error: int, *, lasts: bool = False) -> Outcome:
        """A deed whose `nth` call fails with `error`, and all after it where that lasts."""
        assert self._maker.stdin is not None
        assert self._maker.stdout is not None
        self._maker.stdin.write(f"{deed} {nth} {error} {int(lasts)}\n")
        self._maker.stdin.flush()
        line = self._maker.stdout.readline()
        assert line, f"{deed} died as call {nth} failed with {os.strerror(error)}"
        return Outcome(**json.loads(line))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._maker.kill()
        self._maker.communicate()


def _do(library: Any, deed: str, source: str, nth: int) -> dict[str, Any]:
    """Does a deed with the library armed."""
    raised: BaseException | None = None
    try:
        if deed == "import_model":
            store.import_model(source, model=MODEL)
        else:
            getattr(store, deed)(MODEL)
    except BaseException as found:
        raised = found
    calls = library.failing_calls()
    library.failing_disarm()
    return {
        "error": type(raised).__name__ if raised else None,
        "text": str(raised) if raised else "",
        "is_typed": raised is None or isinstance(raised, ConvergioError),
        "call": library.failing_name().decode() if calls >= nth else "",
    }


def _main() -> None:
    path, root, source = sys.argv[1:]
    library = ctypes.CDLL(path)
    library.failing_name.restype = ctypes.c_char_p
    library.failing_calls.restype = ctypes.c_long
    library.failing_arm.argtypes = [ctypes.c_char_p, ctypes.c_long, ctypes.c_int, ctypes.c_int]
    from huggingface_hub import HfApi, get_session, get_token, hf_hub_url, snapshot_download

    from convergio_mlx.platform.native import native
    from convergio_mlx.registry import remote
    from convergio_mlx.store import deletion, downloading, importing, repairing, retries

    del HfApi, get_session, get_token, hf_hub_url, snapshot_download
    del remote, deletion, downloading, importing, repairing
    native()
    retries.FIRST_PAUSE = 0.001
    for line in sys.stdin:
        deed, *numbers = line.split()
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reading)
            nth, error, lasts = map(int, numbers)
            library.failing_arm(root.encode(), nth, error, lasts)
            outcome = _do(library, deed, source, nth)
            os.write(writing, json.dumps(outcome).encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            told = pipe.read()
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if code != 0 or not told:
            sys.exit(f"{line} ended with {code}")
        print(told.decode(), flush=True)


if __name__ == "__main__":
    _main()
