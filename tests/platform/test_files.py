"""Small files that anybody may have put there."""

import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from convergio_mlx.platform.files import read_file

MAKERS: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "terminal": lambda path: path.symlink_to("/dev/tty"),
    "folder": os.mkdir,
    "sparse": lambda path: (path.touch(), os.truncate(path, 1 << 40)),
    "loop": lambda path: path.symlink_to(path),
}


def test_the_bytes_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 3_000_000)
    (tmp_path / "link").symlink_to("a")
    assert read_file(tmp_path / "link", 3_000_000) == b"x" * 3_000_000
    with pytest.raises(OSError, match="it has more than 2999999 bytes"):
        read_file(tmp_path / "a", 2_999_999)
    with pytest.raises(OSError):
        read_file(tmp_path / "link", 3_000_000, flags=os.O_NOFOLLOW)
    with pytest.raises(FileNotFoundError):
        read_file(tmp_path / "b", 1)


@pytest.mark.parametrize("kind", MAKERS)
def test_what_is_no_file_of_that_size_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "odd"
    MAKERS[kind](path)
    ended = threading.Event()

    def read() -> None:
        with pytest.raises(OSError) as raised:
            read_file(path, 1000)
        assert raised.value.strerror
        ended.set()

    threading.Thread(target=read, daemon=True).start()
    assert ended.wait(60)


def test_a_file_that_does_not_tell_its_size_is_bounded_too(tmp_path: Path) -> None:
    path = Path("/proc/self/maps")
    if not path.exists() or not stat.S_ISREG(path.stat().st_mode):
        pytest.skip("there is no such file here")
    assert read_file(path, 1 << 24)
    with pytest.raises(OSError, match="it has more than 10 bytes"):
        read_file(path, 10)
