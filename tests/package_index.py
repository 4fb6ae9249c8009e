"""A package index on loopback: the simple API of PyPI, with wheels that tests build."""

from __future__ import annotations

import base64
import hashlib
import io
import threading
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

_BLOCK = 16 << 10


def wheel(name: str, version: str, files: Mapping[str, bytes], *, record: bytes = b"") -> bytes:
    """A wheel of these files, which would run nothing by itself.

    Args:
        record: its list of its files, where that is not to be the right one.
    """
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += "Requires-Python: >=3.99\nRequires-Dist: no-such-package-anywhere\n"
    tags = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    packed = {
        **files,
        f"{info}/METADATA": metadata.encode(),
        f"{info}/WHEEL": tags.encode(),
    }
    lines = [f"{path},sha256={_urlsafe(data)},{len(data)}" for path, data in packed.items()]
    packed[f"{info}/RECORD"] = record or "\n".join([*lines, f"{info}/RECORD,,", ""]).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in packed.items():
            archive.writestr(path, data)
    return out.getvalue()


def _urlsafe(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


class Index(ThreadingHTTPServer):
    """The index. `wheels` are by file name, `requests` what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.wheels: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.status = 200
        """What every request is answered with."""
        self.pace: float | None = None
        """Bytes a second of a wheel."""
        self.hashes: dict[str, str] = {}
        """SHA-256 that a page gives for a wheel, where that is not to be its own."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/simple"

    def environment(self) -> dict[str, str]:
        """What has a package manager ask this index alone, once, and keep nothing."""
        return {
            **{"PIP_INDEX_URL": self.url, "PIP_EXTRA_INDEX_URL": "", "PIP_FIND_LINKS": ""},
            **{"PIP_CONFIG_FILE": "/dev/null", "PIP_NO_CACHE_DIR": "1", "PIP_RETRIES": "0"},
            **{"UV_DEFAULT_INDEX": self.url, "UV_NO_CONFIG": "1", "UV_HTTP_RETRIES": "0"},
            "NO_PROXY": "127.0.0.1",
        }

    def add(self, name: str, version: str, files: Mapping[str, bytes]) -> bytes:
        made = wheel(name, version, files)
        self.wheels[f"{name.replace('-', '_')}-{version}-py3-none-any.whl"] = made
        return made

    def handle_error(self, *_: object) -> None:
        """A client that goes away is none of our business."""


class _Handler(BaseHTTPRequestHandler):
    disable_nagle_algorithm = True
    server: Index

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.requests.append(path)
        kind, _, rest = path.strip("/").partition("/")
        if self.server.status != 200:
            self._send(self.server.status, b"")
        elif kind == "simple" and (page := self._page(rest)):
            self._send(200, page.encode())
        elif kind == "files" and rest in self.server.wheels:
            self._send(200, self.server.wheels[rest], "application/octet-stream")
        else:
            self._send(404, b"")

    def log_message(self, *_: object) -> None:
        pass

    def _page(self, name: str) -> str:
        links = []
        for file, data in self.server.wheels.items():
            if file.partition("-")[0] == name.replace("-", "_"):
                sha256 = self.server.hashes.get(file) or hashlib.sha256(data).hexdigest()
                links.append(f'<a href="/files/{file}#sha256={sha256}">{file}</a>')
        return f"<!DOCTYPE html><html><body>{'<br>'.join(links)}</body></html>" if links else ""

    def _send(self, status: int, data: bytes, kind: str = "text/html") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        step = _BLOCK if self.server.pace and kind != "text/html" else max(len(data), 1)
        for at in range(0, len(data), step):
            self.wfile.write(data[at : at + step])
            if step == _BLOCK and self.server.pace:
                time.sleep(_BLOCK / self.server.pace)


@contextmanager
def running() -> Iterator[Index]:
    """An index that answers for as long as the block lasts."""
    with Index() as index:
        thread = threading.Thread(target=index.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield index
        index.shutdown()
