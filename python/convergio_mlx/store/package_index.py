"""Wheels from the package index, through the package manager that is here: it knows the mirrors,
proxies and credentials that this machine is set to use. No package is installed and nothing of one
runs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from convergio_mlx.errors import NetworkError, NetworkSettingsError
from convergio_mlx.registry import Package
from convergio_mlx.store.index_refusals import refusal
from convergio_mlx.store.inventory import files_in
from convergio_mlx.store.names import LARGEST_WEIGHTS
from convergio_mlx.store.progress import Reporter

_POLL = 0.1
"""Seconds between two looks at what has come."""
_SLACK = 64 << 20
"""Bytes that a wheel may have beyond twice its size in the registry, which says it roughly."""
_LARGEST_LOG = 64 << 20
"""Bytes that a package manager may say; a page of an index is listed in them."""
_LOG_READ = 1 << 20
_SETTINGS = {
    "PIP_REQUIRE_VIRTUALENV": "0",
    "PIP_REQUIRE_HASHES": "0",
    "PIP_QUIET": "0",
    "UV_NO_PROGRESS": "1",
}
"""What would refuse a download that installs nothing and whose hash we look at ourselves, or hide
why it failed."""
SLOWEST = 1000
"""Bytes per second, over `SLOW_SECONDS`, below which a download is given up."""
SLOW_SECONDS = 600.0


@dataclass(frozen=True)
class _Manager:
    """A package manager's command that puts a wheel, or what is in it, into a folder."""

    name: str
    command: Sequence[str]


def fetch(package: Package, work: Path, expected: int | None, report: Reporter) -> Path:
    """Downloads a package's wheel into a folder.

    Args:
        package: which; its hash is not looked at here, unless only uv is here.
        work: an empty folder of the store's.
        expected: bytes of the wheel, roughly; None where that is not known.
        report: told of the bytes that have come.

    Returns:
        The wheel; or the folder of its unpacked files, whose wheel uv held to the hash.

    Raises:
        NetworkSettingsError: there is no package manager, or its settings cannot be used.
        NetworkError: the index cannot be reached.
        ModelNotFoundError: the index does not have the package or the version.
        AuthError: the index wants credentials.
        ModelCorruptError: what comes is not what the index or the registry says.
        StorageError: the disk is full.
    """
    target = work / "wheel"
    target.mkdir()
    (work / "tmp").mkdir()
    manager = _manager(package, work, target)
    log = work / "log"
    report.begin("downloading", expected or 0)
    report.file(f"{package.name}-{package.version}")
    process = _start(manager, work, log)
    try:
        code = _watch(process, work, log, expected, report)
    finally:
        _end(process)
    wheels = sorted(target.glob("*.whl"))
    if code == 0 and manager.name == "uv":
        return target
    if code == 0 and len(wheels) == 1:
        return wheels[0]
    raise refusal(package, manager.name, _last(log))


def _manager(package: Package, work: Path, target: Path) -> _Manager:
    """pip of this Python, else uv.

    Raises:
        NetworkSettingsError: neither is here.
    """
    exact = f"{package.name}=={package.version}"
    wheels = ["--no-deps", "--only-binary", ":all:"]
    python = sys.executable if "py" in os.path.basename(sys.executable or "") else ""
    if python and find_spec("pip") is not None:
        # -P: a folder that happens to be the current one cannot take pip's place.
        command = [python, "-P", "-m", "pip", "-vv", "download", "--no-input", "--no-color"]
        command += ["--progress-bar", "off", "--ignore-requires-python", *wheels]
        return _Manager("pip", [*command, "--dest", str(target), exact])
    uv = shutil.which("uv")
    if uv is None:
        raise NetworkSettingsError(
            f"[store] {package} comes from the package index, and there is neither pip in this "
            f"Python ({sys.executable or 'unknown'}) nor uv on the PATH; "
            "`python -m ensurepip` installs pip."
        )
    wanted = work / "requirements.txt"
    wanted.write_text(f"{exact} --hash=sha256:{package.sha256}\n")
    command = [uv, "pip", "install", "--no-cache", "--color", "never", "--require-hashes", *wheels]
    command += ["--python", python] if python else []
    return _Manager("uv", [*command, "--target", str(target), "-r", str(wanted)])


def _start(manager: _Manager, work: Path, log: Path) -> subprocess.Popen[bytes]:
    try:
        with log.open("xb") as said:
            return subprocess.Popen(
                manager.command,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                cwd=work,
                env={**os.environ, **_SETTINGS, "TMPDIR": str(work / "tmp")},
                start_new_session=True,  # Ctrl-C is ours to pass on
            )
    except OSError as error:
        raise NetworkSettingsError(
            f"[store] {manager.name} cannot be started with {manager.command[0]!r} "
            f"({error.strerror or error}); install it again."
        ) from error


def _watch(
    process: subprocess.Popen[bytes],
    work: Path,
    log: Path,
    expected: int | None,
    report: Reporter,
) -> int:
    """Waits for the process, telling of the bytes that have come, and returns its exit status."""
    largest = LARGEST_WEIGHTS if expected is None else 2 * expected + _SLACK
    came, mark, since = 0, 0, time.monotonic()
    while True:
        with suppress(subprocess.TimeoutExpired):
            return process.wait(_POLL)
        size = _largest_file(work)
        known = size if expected is None else min(size, expected)
        report.advance(known - came)
        came = known
        if size > largest or log.stat().st_size > _LARGEST_LOG:
            raise NetworkError(
                f"[store] the package index sends more than {largest} bytes where about "
                f"{expected} were expected; check the index that your package manager is set to."
            )
        if (now := time.monotonic()) - since >= SLOW_SECONDS:
            if size - mark < SLOWEST * (now - since):
                raise NetworkError(
                    f"[store] the package index sent fewer than {SLOWEST} bytes per second for "
                    f"{SLOW_SECONDS:.0f} s; check the network and run the same again."
                )
            mark, since = size, now


def _largest_file(work: Path) -> int:
    """Bytes of the file that grows: the manager writes the wheel under a name of its own first."""
    files = (info for name in ("tmp", "wheel") for info in files_in(work / name))
    return max((info.st_size for info in files), default=0)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends the process and what it has started, if it still runs."""
    if process.poll() is not None:
        return
    for stop in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, stop)
        with suppress(subprocess.TimeoutExpired):
            process.wait(5.0)
            return


def _last(log: Path) -> str:
    """The end of what the manager said."""
    with log.open("rb") as file:
        file.seek(max(log.stat().st_size - _LOG_READ, 0))
        return file.read().decode("utf-8", "replace")
