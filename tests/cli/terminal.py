"""A program on a pseudo-terminal, and what a person does there."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_TAKE_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    "os.execv(sys.argv[1], sys.argv[1:])"
)
CTRL_C, CTRL_D, UP = b"\x03", b"\x04", b"\x1b[A"


class Terminal:
    """Starts a program as the leader of a session on its own terminal."""

    def __init__(
        self, command: Sequence[str], folder: Path, environment: Mapping[str, str], columns: int
    ) -> None:
        self._fd, inner = pty.openpty()
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self._process = subprocess.Popen(  # not pty.fork: the tests may have threads
            [sys.executable, "-S", "-c", _TAKE_TERMINAL, *command],
            stdin=inner,
            stdout=inner,
            stderr=inner,
            cwd=folder,
            env=dict(environment),
            start_new_session=True,
        )
        os.close(inner)
        self.raw = ""
        self._seen = 0

    @property
    def shown(self) -> str:
        """All that came so far, without escape sequences."""
        return _ESCAPES.sub("", self.raw).replace("\r\n", "\n")

    def send(self, keys: bytes | str) -> None:
        """Types."""
        os.write(self._fd, keys.encode() if isinstance(keys, str) else keys)

    def expect(self, text: str, seconds: float = 30) -> str:
        """Waits until a text comes after the last one waited for; what came until its end."""
        until = time.monotonic() + seconds
        while True:
            rest = self.shown[self._seen :]
            if text in rest:
                end = rest.index(text) + len(text)
                self._seen += end
                return rest[:end]
            if time.monotonic() > until or not self._read(until):
                raise AssertionError(f"{text!r} did not come; there is {rest!r}")

    def ask(self, text: str) -> None:
        """Types a line, once there is a prompt to type it at."""
        self.expect("\n> ")
        self.send(f"{text}\r")

    def interrupt_typing(self) -> None:
        """Presses Ctrl-C at a prompt, as late as a person would: between writing the prompt and
        waiting for keys, Python's readline does not hear it."""
        time.sleep(0.4)
        self.send(CTRL_C)

    def finish(self, seconds: float = 30) -> int:
        """Waits for the end of the program, and returns its exit code."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and self._read(until):
            pass
        try:
            return self._process.wait(max(until - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it did not end; there is {self.shown!r}") from None

    def close(self) -> None:
        """Ends the program, however far it is."""
        self._process.kill()
        self._process.wait()
        os.close(self._fd)

    def _read(self, until: float) -> bool:
        """Takes what comes next; False at the end of the program's output."""
        ready, _, _ = select.select([self._fd], [], [], max(0.0, until - time.monotonic()))
        if not ready:
            return False
        try:
            data = os.read(self._fd, 65536)
        except OSError:  # Linux says so when the other end is closed
            return False
        self.raw += data.decode(errors="replace")
        return bool(data)


Open = Callable[..., Terminal]
"""`terminal(*arguments, command=PROGRAM, columns=80, **environment)`."""
