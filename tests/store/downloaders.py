"""Processes that download, made by one that has imported everything and holds no threads: a kill
then hits the download and not the interpreter's start.

As a program, reads commands on standard input: `start N EVENT DEED` forks N processes that do a
deed with the model, each of which kills itself at its EVENT-th step on the file system, and writes
their ids; `wait` writes their exit codes.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

from store.models import GUIDE, MODEL

_STEPS = ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.truncate", "os.listdir")


class Downloaders:
    """Starts downloading processes, and kills them at will."""

    def __init__(self) -> None:
        tests = Path(__file__).parents[1]
        paths = [str(tests), os.environ.get("PYTHONPATH", "")]
        self._maker = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        )

    def start(self, count: int = 1, event: int = 0, deed: str = "download") -> list[int]:
        """Their process ids."""
        return [int(one) for one in self._ask(f"start {count} {event} {deed}").split()]

    def wait(self) -> list[int]:
        """Their exit codes, in the order in which they were started; -9 is killed."""
        return [int(one) for one in self._ask("wait").split()]

    def kill(self, pid: int) -> None:
        """At once. Nobody waits for it before `wait`, so the id is still its own."""
        os.kill(pid, signal.SIGKILL)

    def _ask(self, line: str) -> str:
        assert self._maker.stdin is not None
        assert self._maker.stdout is not None
        self._maker.stdin.write(f"{line}\n")
        self._maker.stdin.flush()
        return self._maker.stdout.readline()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._maker.communicate()


def _do(deed: str, event: int) -> int:
    from convergio_mlx import store
    from convergio_mlx.platform.home import models_folder

    top, steps = str(models_folder()), 0

    def is_in_store(place: object) -> bool:
        """Names without a path are those of entries of the folders that the store holds open."""
        if isinstance(place, int):
            return True
        return isinstance(place, str) and (place.startswith(top) or "/" not in place)

    def count(name: str, arguments: tuple[object, ...]) -> None:
        nonlocal steps
        if name in _STEPS and is_in_store(arguments[0]):
            steps += 1
            if steps == event:
                os.kill(os.getpid(), signal.SIGKILL)

    if event:
        sys.addaudithook(count)
    try:
        if deed == "import_model":
            store.import_model(GUIDE, model=MODEL)
        else:
            getattr(store, deed)(MODEL)
    except Exception as error:
        print(repr(error), file=sys.stderr)
        return 1
    return 0


def _main() -> None:
    from huggingface_hub import HfApi, get_session, get_token, hf_hub_url, snapshot_download

    from convergio_mlx.registry import remote
    from convergio_mlx.store import deletion, downloading, importing, repairing

    del deletion, importing, repairing
    del HfApi, get_session, get_token, hf_hub_url, snapshot_download, remote, downloading
    children: list[int] = []
    for line in sys.stdin:
        command, *words = line.split()
        if command == "start":
            children = []
            for _ in range(int(words[0])):
                pid = os.fork()
                if pid == 0:
                    os._exit(_do(words[2], int(words[1])))
                children.append(pid)
            print(*children, flush=True)
        else:
            codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
            print(*codes, flush=True)


if __name__ == "__main__":
    _main()
