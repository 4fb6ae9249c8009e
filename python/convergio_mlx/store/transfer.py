"""One file from the hub onto the disk, going on from what is there. huggingface_hub's own download
writes under a name that is new in each process, so a killed one begins again; hence its session
and addresses with our own range requests."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from convergio_mlx.errors import ModelCorruptError
from convergio_mlx.platform.http import Opened, RequestError, opened
from convergio_mlx.store.endpoint import file_url, headers
from convergio_mlx.store.folders import Folder
from convergio_mlx.store.hashing import CHUNK
from convergio_mlx.store.hub import Commit, RemoteFile
from convergio_mlx.store.layout import cannot
from convergio_mlx.store.progress import Reporter
from convergio_mlx.store.refusals import refusal, refused
from convergio_mlx.store.retries import passing, until_done


def fetch(commit: Commit, file: RemoteFile, folder: Folder, part: str, report: Reporter) -> str:
    """Makes `part` in `folder` the whole and verified file, and returns its SHA-256. What it has of
    it already is hashed and kept.

    Raises:
        ConvergioError: the hub cannot be reached or refuses; `part` keeps what came.
        ModelCorruptError: the hub's bytes are not those of its listing, twice; `part` is gone.
        StorageError: the disk is full or cannot be written.
    """
    report.file(file.name)
    path = folder.path / part
    try:
        with os.fdopen(_own(folder, part), "r+b", buffering=0) as out:
            transfer = _Transfer(commit, file, path, out, report)
            transfer.resume()
            for last in (False, True):
                until_done(transfer.pull, report, lambda: transfer.done)
                if transfer.is_sound():
                    os.fsync(out.fileno())
                    return transfer.sha256
                if last:
                    break
                transfer.restart()
            folder.unlink(part)
    except OSError as error:
        raise cannot("write", path, error) from error
    raise ModelCorruptError(
        f"[store] what the hub sends as {file.name!r} of {commit.repository!r} has SHA-256 "
        f"{transfer.sha256} where {file.sha256 or f'git id {file.git_id}'} was expected; it is "
        "thrown away, so check HF_ENDPOINT and proxies, and try again."
    )


def _own(folder: Folder, name: str) -> int:
    """A file that has this one name alone: what is written into it changes no other, which somebody
    may have mapped."""
    for _ in range(2):
        descriptor = folder.open(name, os.O_RDWR | os.O_CREAT)
        info = os.fstat(descriptor)
        if stat.S_ISREG(info.st_mode) and info.st_nlink == 1:
            return descriptor
        os.close(descriptor)
        folder.unlink(name)
    raise OSError(errno.EINVAL, "another process puts links in its place")


class _Transfer:
    """A file on its way, and the hash of what has come."""

    def __init__(
        self, commit: Commit, file: RemoteFile, part: Path, out: BinaryIO, report: Reporter
    ) -> None:
        self._commit = commit
        self._file = file
        self._part = part
        self._out = out
        self._report = report
        self._digest = file.digest()
        self._takes_ranges = True
        self.done = 0

    @property
    def sha256(self) -> str:
        return self._digest.sha256

    def is_sound(self) -> bool:
        return self._file.is_matched_by(self._digest)

    def resume(self) -> None:
        """Hashes what is on the disk; more than the file can have is not of it."""
        if os.fstat(self._out.fileno()).st_size > self._file.size:
            self._out.truncate(0)
        while data := self._out.read(CHUNK):
            self._count(data, is_new=False)

    def restart(self) -> None:
        """Begins from nothing."""
        self._report.advance(-self.done, is_new=False)
        self._out.seek(0)
        self._out.truncate(0)
        self._digest = self._file.digest()
        self.done = 0

    def pull(self) -> None:
        """Asks for the rest and takes what comes.

        Raises:
            PassingError: it broke off, or the hub is out of order for the moment.
            ConvergioError: as `fetch`.
        """
        try:
            while self.done < self._file.size:
                if self._pull():
                    break
        except RequestError as error:
            raise passing(refusal(error)) from error
        if self.done < self._file.size:
            cut = RequestError(f"the connection ended {self._file.size - self.done} bytes early")
            raise passing(refusal(cut))

    def _pull(self) -> bool:
        """One request; False where it has to be asked anew, from the first byte."""
        from huggingface_hub import constants

        if not self._takes_ranges and self.done:
            self.restart()
        asked = {**headers(), "Accept-Encoding": "identity"}
        if self.done:
            asked["Range"] = f"bytes={self.done}-"
        url = file_url(self._commit.repository, self._commit.revision, self._file.name)
        with opened(url, asked, read_seconds=constants.HF_HUB_DOWNLOAD_TIMEOUT) as response:
            if response.status == 206 and "Content-Range" not in response.headers:
                # Some proxies leave it out, so nobody knows which bytes these are.
                if not self.done:
                    self._mislead("a part without saying which")
                self._takes_ranges = False
                return False
            self._accept(response)
            for data in response.pieces():
                self._take(data)
        return True

    def _accept(self, response: Opened) -> None:
        """Looks at a response's head: whether it is the file, and from which byte."""
        status = response.status
        if status == 416:  # there is nothing after what we have, so what we have is not the file
            self.restart()
            raise passing(refused(status, response.headers, self._commit.repository))
        if status not in (200, 206):
            # What stands behind a redirect signs addresses that expire, so asking anew may help.
            is_storage = response.was_redirected and status != 429
            raise passing(
                refused(500 if is_storage else status, response.headers, self._commit.repository)
            )
        if status == 200 and self.done:
            self.restart()
        wanted = self._file.size - self.done
        start = f"bytes {self.done}-{self._file.size - 1}/{self._file.size}"
        length = response.headers.get("Content-Length", str(wanted))
        if length != str(wanted) or (
            status == 206 and response.headers.get("Content-Range") != start
        ):
            self._mislead(f"{ascii(length)[1:-1][:30]} bytes")

    def _take(self, data: bytes) -> None:
        if self.done + len(data) > self._file.size:
            self._mislead("more bytes")
        try:
            view = memoryview(data)
            while view:
                view = view[self._out.write(view) :]
        except OSError as error:
            raise cannot("write", self._part, error) from error
        self._count(data, is_new=True)

    def _count(self, data: bytes, *, is_new: bool) -> None:
        self._digest.update(data)
        self.done += len(data)
        self._report.advance(len(data), is_new=is_new)

    def _mislead(self, what: str) -> None:
        raise ModelCorruptError(
            f"[store] the hub sends {what} of {self._file.name!r} of {self._commit.repository!r} "
            f"where {self._file.size - self.done} are left of the {self._file.size} of its "
            "listing; check HF_ENDPOINT and proxies."
        )
