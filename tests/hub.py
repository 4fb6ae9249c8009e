"""A Hugging Face hub on loopback, as far as downloads go: listings with hashes, LFS files behind a
redirect to another host, small files served at once, ranges, tokens, gates, and faults on demand.

python tests/hub.py mlx-community/Some-Model-4bit=FOLDER ... [--port N] [--pace BYTES_A_SECOND]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN = "hf_test"
_BLOCK = 16 << 10


@lru_cache(maxsize=1000)
def sha256_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@lru_cache(maxsize=1000)
def git_id(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@dataclass
class Repository:
    """Files at one commit; `listing` overrides what the hub says of a file."""

    files: dict[str, bytes]
    gated: bool = False
    listing: dict[str, dict[str, Any]] = field(default_factory=dict)
    extra: list[dict[str, Any]] = field(default_factory=list)
    revision_is: str | None = None
    """A commit that it claims to be at."""

    @property
    def revision(self) -> str:
        if self.revision_is is not None:
            return self.revision_is
        names = "".join(f"{name}{git_id(data)}" for name, data in sorted(self.files.items()))
        return hashlib.sha1(names.encode()).hexdigest()

    def is_lfs(self, name: str) -> bool:
        return name.endswith(".safetensors") or len(self.files[name]) > 10 << 20

    def siblings(self) -> list[dict[str, Any]]:
        return [self._sibling(name) for name in self.files] + self.extra

    def _sibling(self, name: str) -> dict[str, Any]:
        data = self.files[name]
        found: dict[str, Any] = {"rfilename": name, "size": len(data), "blobId": git_id(data)}
        if self.is_lfs(name):
            sha256 = sha256_of(data)
            pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\n".encode()
            found["lfs"] = {"sha256": sha256, "size": len(data), "pointerSize": len(pointer)}
            found["blobId"] = git_id(pointer)
        return {**found, **self.listing.get(name, {})}


@dataclass
class Fault:
    """What goes wrong with the next requests whose path contains `path`."""

    path: str
    times: int = 1
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    """Sent instead of the file."""
    cut_after: int | None = None
    """Bytes of the body after which the connection breaks."""
    ignores_range: bool = False
    hides_range: bool = False
    """A part is sent without saying which."""
    chunked: bool = False
    """Sent without a length."""
    stalls: float = 0.0
    """Seconds without a byte, before the body."""


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    range: str | None
    token: str | None
    host: str


class Hub(ThreadingHTTPServer):
    """The hub. `requests` is what it was asked, `faults` what shall go wrong."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.repositories: dict[str, Repository] = {}
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self.accepts = f"Bearer {TOKEN}"
        """The authorization that is taken, beside none."""
        self.pace: float | None = None
        """Bytes a second of each response."""
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def asked_for(self, text: str) -> list[Request]:
        return [one for one in self.requests if text in one.path]

    def fault_for(self, path: str) -> Fault | None:
        with self._lock:
            for fault in self.faults:
                if fault.path in path and fault.times > 0:
                    fault.times -= 1
                    return fault
        return None

    def handle_error(self, *_: object) -> None:
        """A client that goes away is none of our business."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each body waits 40 ms for its head to be acknowledged
    server: Hub

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.requests.append(
            Request(
                self.command,
                path,
                self.headers["Range"],
                self.headers["Authorization"],
                self.headers["Host"].partition(":")[0],
            )
        )
        fault = self.server.fault_for(path)
        if fault is not None and fault.status is not None:
            self._refuse(fault.status, fault.headers)
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?", path):
            self._tell(*found.groups(), fault)
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/tree/([^/]+)", path):
            self._tell_tree(*found.groups(), fault)
        elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self._resolve(*found.groups(), fault)
        elif found := re.fullmatch(r"/cdn/([0-9a-f]{64})", path):
            self._store(found[1], fault)
        else:
            self._refuse(404, {})

    do_HEAD = do_GET  # noqa: N815 (the name that http.server calls)

    def log_message(self, *_: object) -> None:
        pass

    def _repository(self, name: str, revision: str | None, *, files: bool) -> Repository | None:
        """A repository that the asker may see; else None, and the refusal is sent."""
        repository = self.server.repositories.get(name)
        token = self.headers["Authorization"]
        if token not in (None, self.server.accepts):
            self._refuse(401, {"X-Error-Message": "Invalid credentials in Authorization header"})
        elif repository is None:
            self._refuse(401 if token is None else 404, {"X-Error-Code": "RepoNotFound"})
        elif revision not in (None, "main", repository.revision):
            self._refuse(404, {"X-Error-Code": "RevisionNotFound"})
        elif files and repository.gated:
            self._refuse(401 if token is None else 403, {"X-Error-Code": "GatedRepo"})
        else:
            return repository
        return None

    def _tell(self, name: str, revision: str | None, fault: Fault | None) -> None:
        repository = self._repository(name, revision, files=False)
        if repository is None:
            return
        siblings = repository.siblings()
        if "blobs" not in urlsplit(self.path).query:
            siblings = [{"rfilename": one["rfilename"]} for one in siblings]
        told = {"id": name, "modelId": name, "sha": repository.revision, "siblings": siblings}
        told |= {"private": False, "gated": "auto" if repository.gated else False}
        self._send(json.dumps(told).encode(), {"Content-Type": "application/json"}, fault)

    def _tell_tree(self, name: str, revision: str, fault: Fault | None) -> None:
        """What huggingface_hub's own snapshot_download asks for."""
        repository = self._repository(name, revision, files=False)
        if repository is None:
            return
        tree = []
        for one in repository.siblings():
            entry = {"type": "file", "path": one["rfilename"], "size": one["size"]}
            entry["oid"] = one["blobId"]
            if lfs := one.get("lfs"):
                pointer = lfs["pointerSize"]
                entry["lfs"] = {"oid": lfs["sha256"], "size": lfs["size"], "pointerSize": pointer}
            tree.append(entry)
        self._send(json.dumps(tree).encode(), {"Content-Type": "application/json"}, fault)

    def _resolve(self, name: str, revision: str, file: str, fault: Fault | None) -> None:
        repository = self._repository(name, revision, files=True)
        if repository is None:
            return
        if file not in repository.files:
            self._refuse(404, {"X-Error-Code": "EntryNotFound"})
            return
        data = repository.files[file]
        headers = {"X-Repo-Commit": repository.revision, "Accept-Ranges": "bytes"}
        if not repository.is_lfs(file):
            self._send(data, {**headers, "ETag": f'"{git_id(data)}"'}, fault)
            return
        sha256 = sha256_of(data)
        self.send_response(302)
        for key, value in {
            **headers,
            "ETag": f'"{sha256}"',
            "X-Linked-Etag": f'"{sha256}"',
            "X-Linked-Size": str(len(data)),
            "Location": f"http://localhost:{self.server.server_port}/cdn/{sha256}?signed=1",
            "Content-Length": "0",
        }.items():
            self.send_header(key, value)
        self.end_headers()

    def _store(self, sha256: str, fault: Fault | None) -> None:
        every = (data for one in self.server.repositories.values() for data in one.files.values())
        data = next((one for one in every if sha256_of(one) == sha256), None)
        if data is None:
            self._refuse(404, {})
        else:
            self._send(data, {"ETag": f'"{sha256}"', "Accept-Ranges": "bytes"}, fault)

    def _send(self, data: bytes, headers: dict[str, str], fault: Fault | None) -> None:
        fault = fault or Fault("")
        if fault.body is not None:
            data = fault.body
        start, status = 0, 200
        ranged = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        if ranged and not fault.ignores_range:
            start, status = int(ranged[1]), 206
            if start >= len(data):
                self._refuse(416, {"Content-Range": f"bytes */{len(data)}"})
                return
            if not fault.hides_range:
                headers = {**headers, "Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"}
        body = data[start:]
        self.send_response(status)
        if fault.chunked:
            headers = {**headers, "Transfer-Encoding": "chunked"}
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        else:
            headers = {"Content-Length": str(len(body)), **headers}
        for key, value in {**headers, **fault.headers}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if fault.stalls:
            self.wfile.flush()
            time.sleep(fault.stalls)
        self._write(body if fault.cut_after is None else body[: fault.cut_after])
        if fault.cut_after is not None:
            self.close_connection = True

    def _write(self, body: bytes) -> None:
        pace = self.server.pace
        if pace is None:
            self.wfile.write(body)
            return
        for at in range(0, len(body), _BLOCK):
            self.wfile.write(body[at : at + _BLOCK])
            time.sleep(_BLOCK / pace)

    def _refuse(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": "0", **headers}.items():
            self.send_header(key, value)
        self.end_headers()


@contextmanager
def running(port: int = 0) -> Iterator[Hub]:
    """A hub that answers for as long as the block lasts."""
    with Hub(port) as hub:
        thread = threading.Thread(target=hub.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield hub
        hub.shutdown()


def main() -> None:
    parser = argparse.ArgumentParser(description="A hub on loopback that serves folders.")
    parser.add_argument("folders", nargs="+", metavar="OWNER/NAME=FOLDER")
    parser.add_argument("--port", type=int, default=8765)
    parser.add_argument("--pace", type=float, help="bytes a second")
    given = parser.parse_args()
    with running(given.port) as hub:
        hub.pace = given.pace
        for one in given.folders:
            name, _, folder = one.partition("=")
            paths = [path for path in Path(folder).iterdir() if path.is_file()]
            hub.repositories[name] = Repository({p.name: p.read_bytes() for p in paths})
        print(f"export HF_ENDPOINT={hub.url}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
