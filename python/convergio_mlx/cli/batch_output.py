"""The results of a batch: JSON lines, each written whole, so that a later run can go on."""

from __future__ import annotations

import fcntl
import json
import os
import stat
from typing import Any, Self

from convergio_mlx.cli.output import Stream
from convergio_mlx.errors import InvalidRequestError, StorageError

_BEGIN = b'{"custom_id": '
"""Of every line."""


class StreamResults:
    """Results that go to standard output; none is there before."""

    def __init__(self, out: Stream) -> None:
        """Writes nothing yet."""
        self._out = out
        self.done: set[str] = set()
        self.failed = 0

    def write(self, record: dict[str, Any]) -> None:
        """Adds a result."""
        self._out.raw(f"{json.dumps(record)}\n")
        self.failed += record["error"] is not None

    def __enter__(self) -> Self:
        """Does nothing."""
        return self

    def __exit__(self, *_: object) -> None:
        """Does nothing."""


class FileResults:
    """Results that are appended to a file, with those of earlier runs."""

    def __init__(self, path: str) -> None:
        """Opens it, for this process alone, and reads what it has.

        Raises:
            InvalidRequestError: it holds something else.
            StorageError: it cannot be written, or another process writes it.
        """
        self._path = path
        self.done: set[str] = set()
        self.failed = 0
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o666)
        except OSError as error:
            raise self._cannot(error) from error
        try:
            self._prepare()
        except BaseException:
            os.close(self._fd)
            raise

    def _prepare(self) -> None:
        if not stat.S_ISREG(os.fstat(self._fd).st_mode):
            raise InvalidRequestError(
                f"[batch] {self._path!r} is no regular file; give another --output, or leave it "
                "out to write to standard output."
            )
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StorageError(
                f"[batch] another process writes {self._path!r}; wait for its end, or give another "
                "--output."
            ) from None
        except OSError:
            pass  # a file system without locks
        try:
            with os.fdopen(os.dup(self._fd), "rb") as file:
                end = self._read(file)
            os.ftruncate(self._fd, end)
            os.lseek(self._fd, end, os.SEEK_SET)
        except OSError as error:
            raise self._cannot(error) from error

    def _read(self, file: Any) -> int:
        """Notes the results that are there; where the last whole one ends. What is behind it was
        being written when a run was killed, and its request is run again."""
        end = 0
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                if not line.startswith(_BEGIN[: len(line)]):
                    raise self._foreign(number)
                break
            end += len(line)
            try:
                record = json.loads(line)
                self.done.add(record["custom_id"])
                self.failed += record["error"] is not None
            except (ValueError, KeyError, TypeError, RecursionError):
                raise self._foreign(number) from None
        return end

    def write(self, record: dict[str, Any]) -> None:
        """Appends a result, whole.

        Raises:
            StorageError: it cannot be written; the next run removes what there is of it.
        """
        left = memoryview(f"{json.dumps(record)}\n".encode())
        try:
            while left:
                left = left[os.write(self._fd, left) :]
        except OSError as error:
            raise self._cannot(error) from error
        self.done.add(record["custom_id"])
        self.failed += record["error"] is not None

    def __enter__(self) -> Self:
        """Closes at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes the file."""
        os.close(self._fd)

    def _foreign(self, number: int) -> InvalidRequestError:
        return InvalidRequestError(
            f"[batch] line {number} of {self._path!r} is no result of a batch; give another "
            "--output."
        )

    def _cannot(self, error: OSError) -> StorageError:
        return StorageError(
            f"[batch] {self._path!r} cannot be written ({error.strerror}); make room or give "
            "another --output, and run the command again to go on."
        )
