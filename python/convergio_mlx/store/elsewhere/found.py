"""What was found in another program's folders, and the steps of looking there."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Program = Literal["ollama", "lmstudio", "huggingface"]
Kind = Literal["folder", "gguf", "other"]

MOST_ENTRIES = 100_000
"""Of a folder; another program's has some hundreds."""


@dataclass(frozen=True)
class FoundModel:
    """A model of another program."""

    program: Program
    name: str
    """What the program calls it, and `import_from` takes."""
    kind: Kind
    """folder: safetensors files with their config.json; gguf: a GGUF file; other: neither."""
    path: Path
    """The folder, or the GGUF file."""
    size_bytes: int
    """Of its weights."""
    refusals: tuple[str, ...] = ()
    """Why it cannot be imported, a clause each; empty where it can."""
    sha256: str | None = None
    """Of the GGUF file, where the program names it by that."""
    repository: str | None = None
    """On the hub, with the commit, where the program keeps those."""
    revision: str | None = None
    config: Mapping[str, Any] | None = None
    """config.json of what a GGUF file becomes."""
    converted_bytes: int | None = None
    """Of the weights that a GGUF file becomes, at most."""


@dataclass
class Elsewhere:
    """All that was found of one program."""

    program: Program
    folders: list[Path] = field(default_factory=list)
    """Where it was looked: the program's folders that exist."""
    models: list[FoundModel] = field(default_factory=list)
    """By name."""
    problems: list[str] = field(default_factory=list)
    """What is broken there, a clause each, with its path; the rest was looked at."""

    def add(self, model: FoundModel) -> None:
        """Takes in a model, unless there is one of its name already."""
        twin = next((one for one in self.models if one.name == model.name), None)
        if twin is None:
            self.models.append(model)
        elif twin.path != model.path:
            self.problems.append(
                f"{str(model.path)!r} has the name {model.name!r} of {str(twin.path)!r} and is "
                "passed over"
            )

    def names(self, folder: Path) -> list[str]:
        """The names in a folder, in order; none, and a problem, where it cannot be listed."""
        names: list[str] = []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    names.append(entry.name)
                    if len(names) > MOST_ENTRIES:
                        self.problems.append(f"{str(folder)!r} has more than {MOST_ENTRIES} files")
                        return []
        except OSError as error:
            self.problems.append(f"{str(folder)!r} cannot be listed ({error.strerror or error})")
            return []
        return sorted(name for name in names if not name.startswith("."))


def is_folder(path: Path) -> bool:
    """Whether a folder is there, behind a link too."""
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def file_size(path: Path) -> int | None:
    """Bytes of a regular file, behind a link too; None where there is none."""
    try:
        info = os.stat(path)
    except (OSError, ValueError):
        return None
    return info.st_size if stat.S_ISREG(info.st_mode) else None


def distinct(folders: Iterable[Path | None]) -> list[Path]:
    """Those that exist, each once, whatever links lead there."""
    known: dict[tuple[int, int], Path] = {}
    for folder in folders:
        if folder is None:
            continue
        try:
            info = os.stat(folder)
        except (OSError, ValueError):
            continue
        if stat.S_ISDIR(info.st_mode):
            known.setdefault((info.st_dev, info.st_ino), folder)
    return list(known.values())


def user_home() -> Path | None:
    """The user's home folder; None where there is none."""
    return expanded("~")


def expanded(path: str) -> Path | None:
    """A path that a setting gives; None where it begins with the home of a user who has none."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return None
