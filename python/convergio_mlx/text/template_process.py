"""Chat templates rendered by a process of their own, with limits that no template can pass.

A process is started at the first rendering, costs some 20 MB and is used again; one that a template
has brought to its limits is killed. The threat model is in docs/security.md.
"""

from __future__ import annotations

import atexit
import importlib.util
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from convergio_mlx.errors import TokenizerError
from convergio_mlx.text import frozen
from convergio_mlx.text import template_renderer as renderer

MAX_PROCESSES = 4
"""Renderings at the same time; more wait."""
MAX_WAIT = 4.0 * renderer.MAX_SECONDS
"""Seconds by the clock, for a machine that is busy with other things."""
_START_SECONDS = 60.0
_IDLE_SECONDS = 300.0
"""A process that was not used for so long is replaced, for what it holds of memory."""
_WATCH_SECONDS = 0.02


class StoppedError(Exception):
    """A rendering was ended at one of its limits."""


def render(source: str, variables: dict[str, Any], now: str | None) -> tuple[bytes, str]:
    """As `template_renderer.render`, in another process.

    Raises:
        TokenizerError: no process can be started here.
    """
    request = json.dumps([source, variables, now]).encode()
    with _slots:
        process = _take()
        try:
            kind, text = process.render(request)
        except StoppedError as error:
            process.close()
            return renderer.STOPPED, str(error)
        except BaseException:
            process.close()
            raise
    if kind == renderer.STOPPED:
        process.close()
    else:
        _give_back(process)
    return kind, text


class _Process:
    """One rendering process, used by one thread at a time."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        command = _command()
        end = theirs.fileno()
        try:
            self._process = subprocess.Popen(
                command, stdin=end, stdout=end, stderr=subprocess.DEVNULL, process_group=0
            )
        except OSError as error:
            ours.close()
            raise _cannot_start(f"{command[0]}: {error.strerror}") from error
        finally:
            theirs.close()
        self._socket = ours
        self.used = time.monotonic()
        try:
            self._receive(self.used + _START_SECONDS)
        except StoppedError:
            self.close()
            raise _cannot_start(f"{command[0]} ended at once") from None

    def render(self, request: bytes) -> tuple[bytes, str]:
        """Sends a request and waits for its answer.

        Raises:
            StoppedError: the process has ended, or takes longer or more than it may.
        """
        deadline = time.monotonic() + MAX_WAIT
        try:
            self._socket.settimeout(MAX_WAIT)
            self._socket.sendall(renderer.HEADER.pack(renderer.READY, len(request)) + request)
        except OSError:
            pass  # that it has ended is seen below
        kind, payload = self._receive(deadline)
        self.used = time.monotonic()
        return kind, payload.decode("utf-8", "surrogatepass")

    def _receive(self, deadline: float) -> tuple[bytes, bytes]:
        kind, size = renderer.HEADER.unpack(self._read(renderer.HEADER.size, deadline))
        return kind, self._read(size, deadline)

    def _read(self, size: int, deadline: float) -> bytes:
        data = bytearray()
        while len(data) < size:
            left = deadline - time.monotonic()
            self._socket.settimeout(min(max(left, _WATCH_SECONDS), _wait()))
            try:
                part = self._socket.recv(min(size - len(data), 1 << 20))
            except TimeoutError:
                if left <= 0:
                    raise StoppedError(f"it takes longer than {MAX_WAIT:g} seconds") from None
                if _resident(self._process.pid) > renderer.MAX_BYTES:
                    raise StoppedError(
                        f"it takes more than {renderer.MAX_BYTES >> 20} MB"
                    ) from None
                continue
            except OSError:
                part = b""
            if not part:
                raise StoppedError(self._why_ended())
            data += part
        return bytes(data)

    @property
    def is_alive(self) -> bool:
        """Whether nobody has ended it."""
        return self._process.poll() is None

    def _why_ended(self) -> str:
        try:
            code = self._process.wait(_START_SECONDS)
        except subprocess.TimeoutExpired:
            code = 0
        if code == -signal.SIGPROF:
            return f"it computes for more than {renderer.MAX_SECONDS} seconds"
        return f"the process that renders it ended with code {code}"

    def close(self) -> None:
        """Kills the process."""
        self._socket.close()
        self._process.kill()
        self._process.wait()

    def forget(self) -> None:
        """Lets go of a process that is the parent's, after a fork."""
        self._socket.close()
        self._process.returncode = 0  # not ours to wait for


_slots = threading.BoundedSemaphore(MAX_PROCESSES)
_idle: list[_Process] = []


def _take() -> _Process:
    while _idle:
        try:
            process = _idle.pop()
        except IndexError:  # another thread was faster
            break
        if process.is_alive and time.monotonic() - process.used < _IDLE_SECONDS:
            return process
        process.close()
    return _Process()


def _give_back(process: _Process) -> None:
    _idle.append(process)


@atexit.register
def close_all() -> None:
    """Ends the processes that are idle."""
    while _idle:
        _idle.pop().close()


def _after_fork() -> None:
    global _slots  # noqa: PLW0603 (its threads are gone)
    _slots = threading.BoundedSemaphore(MAX_PROCESSES)
    while _idle:
        _idle.pop().forget()


os.register_at_fork(after_in_child=_after_fork)


def _command() -> list[str]:
    own = None if os.environ.get("CONVERGIO_MLX_PYTHON") else frozen.command()
    return own or [_python(), "-I", "-S", "-B", renderer.__file__, *_paths()]


def _python() -> str:
    """The interpreter to run: this one, unless this is a program that embeds Python."""
    given = os.environ.get("CONVERGIO_MLX_PYTHON")
    if given:
        return given
    name = Path(sys.executable or "").name
    if getattr(sys, "frozen", False) or not re.match("(?i)(python|pypy)", name):
        raise _cannot_start(f"{sys.executable or 'this program'} is no Python interpreter")
    return sys.executable


def _cannot_start(why: str) -> TokenizerError:
    return TokenizerError(
        f"[chat_template] no process can be started to render the model's template ({why}); set "
        "CONVERGIO_MLX_PYTHON to a Python interpreter of this version, call "
        "convergio_mlx.freeze_support() first in a frozen program, or, for templates that you "
        "trust, set CONVERGIO_MLX_TEMPLATES=in-process."
    )


def _paths() -> list[str]:
    """Where jinja2 and what it needs lie."""
    found = [importlib.util.find_spec(name) for name in ("jinja2", "markupsafe")]
    places = (Path(spec.origin).parent.parent for spec in found if spec and spec.origin)
    return [*dict.fromkeys(map(str, places))]


def _wait() -> float:
    """Seconds until a silent process is looked at: macOS limits no process's memory."""
    return _WATCH_SECONDS if sys.platform == "darwin" else MAX_WAIT


def _resident(pid: int) -> int:
    """Bytes of memory that a process has on macOS, 0 elsewhere."""
    if sys.platform != "darwin":
        return 0
    import ctypes

    usage = (ctypes.c_uint64 * 12)()  # struct rusage_info_v0: a UUID, then numbers of 64 bits
    if ctypes.CDLL(None).proc_pid_rusage(pid, 0, ctypes.byref(usage)) != 0:
        return 0
    return int(usage[8])  # ri_resident_size, after the UUID and six numbers
