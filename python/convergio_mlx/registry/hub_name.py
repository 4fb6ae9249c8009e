"""Any repository of the Hugging Face hub by name: `hf:owner/name`, or `hf:owner/name@revision`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from convergio_mlx.errors import ModelNotFoundError
from convergio_mlx.registry import checks

PREFIX = "hf:"
_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}(/[A-Za-z0-9][A-Za-z0-9._-]{0,99}){0,3}")
_COMMIT_SHOWN = 12
"""Digits of a commit that an id has."""
_HASH_SHOWN = 8
_LONGEST = 64
"""Characters of an id."""


@dataclass(frozen=True)
class HubName:
    """A repository, and which of its revisions."""

    repository: str
    revision: str | None = None
    """A commit, a branch or a tag; None for what is newest."""

    @classmethod
    def parse(cls, text: str) -> HubName | None:
        """The name in a text that begins with `hf:`; None for any other text.

        Raises:
            ModelNotFoundError: it is no name of a repository, or of a revision.
        """
        if not text.startswith(PREFIX):
            return None
        repository, at, revision = text.removeprefix(PREFIX).partition("@")
        is_revision = not at or (_REVISION.fullmatch(revision) and ".." not in revision)
        if not checks.is_repository(repository) or not is_revision:
            raise ModelNotFoundError(
                f"[registry] {ascii(text)[:100]} names no repository of the hub; give "
                "hf:owner/name, or hf:owner/name@revision with a commit, a branch or a tag."
            )
        return cls(repository, revision or None)

    @property
    def id(self) -> str:
        """The id that the model is installed under: `owner--name` in small letters, then the
        revision where one is given. What makes no id gets a hash at its end."""
        revision = self.revision or ""
        if checks.is_revision(revision):
            revision = revision[:_COMMIT_SHOWN]
        # Repositories of the hub are one whatever the letters' case; branches and tags are not.
        exact = "--".join([self.repository.lower(), *([revision] if revision else [])])
        made = exact.lower().replace("/", "--")
        if checks.is_id(made) and revision == revision.lower().replace("/", ""):
            return made
        import hashlib

        digest = hashlib.sha256(exact.encode()).hexdigest()[:_HASH_SHOWN]
        return f"{made[: _LONGEST - _HASH_SHOWN - 1]}-{digest}"

    def __str__(self) -> str:
        """As it is given to a command."""
        return f"{PREFIX}{self.repository}{f'@{self.revision}' if self.revision else ''}"
