"""The folders of other programs, as those lay them out today."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
MANIFEST_LIST = "application/vnd.ollama.manifest.list.v2+json"
REVISION = "0123456789abcdef0123456789abcdef01234567"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Ollama:
    """Blobs by their SHA-256, and manifests of names."""

    def __init__(self, top: Path) -> None:
        self.top = top

    def blob(self, data: bytes) -> str:
        path = self.top / "blobs" / f"sha256-{sha256(data)}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return f"sha256:{sha256(data)}"

    def layer(self, kind: str, data: bytes) -> dict[str, Any]:
        media = f"application/vnd.ollama.image.{kind}"
        return {"mediaType": media, "digest": self.blob(data), "size": len(data)}

    def manifest(self, *layers: dict[str, Any]) -> dict[str, Any]:
        config = {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "digest": self.blob(b'{"model_format":"gguf"}'),
            "size": 23,
        }
        return {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config,
            "layers": list(layers),
        }

    def path(self, name: str, kind: str = "manifests") -> Path:
        """Where the manifest of `host/namespace/model/tag` lies."""
        path = self.top / kind / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def pull(self, name: str, *layers: dict[str, Any]) -> None:
        """A model as `ollama pull` left it until 2026."""
        self.path(name).write_text(json.dumps(self.manifest(*layers)))

    def pull_v2(self, name: str, manifest: dict[str, Any]) -> None:
        """A model as it leaves it today: the manifest is a blob, and its name a link."""
        digest = self.blob(json.dumps(manifest).encode())
        path = self.path(name, "manifests-v2")
        path.symlink_to(os.path.relpath(self.top / "blobs" / digest.replace(":", "-"), path.parent))


def hub_snapshot(top: Path, repository: str, files: dict[str, bytes]) -> Path:
    """A repository as huggingface_hub downloads it: links to blobs."""
    folder = top / f"models--{repository.replace('/', '--')}"
    snapshot = folder / "snapshots" / REVISION
    snapshot.mkdir(parents=True)
    (folder / "blobs").mkdir()
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(REVISION)
    for name, data in files.items():
        blob = folder / "blobs" / sha256(data)
        blob.write_bytes(data)
        (snapshot / name).symlink_to(Path("..") / ".." / "blobs" / blob.name)
    return snapshot


def tree_hash(top: Path) -> str:
    """Of all names, links, contents, modes and times of change below a folder."""
    digest = hashlib.sha256()
    for folder, folders, files in os.walk(top):
        folders.sort()
        for name in sorted([*folders, *files]):
            path = Path(folder) / name
            info = path.lstat()
            what = [str(path.relative_to(top)), oct(info.st_mode), str(info.st_mtime_ns)]
            if path.is_symlink():
                what.append(os.readlink(path))
            elif path.is_file() and os.access(path, os.R_OK):
                what.append(sha256(path.read_bytes()))
            digest.update("\0".join(what).encode(errors="surrogateescape"))
    return digest.hexdigest()
