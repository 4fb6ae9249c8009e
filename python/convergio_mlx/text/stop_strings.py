"""Stop strings in a stream: nothing of one is ever shown, and nothing else is held back.

One Aho–Corasick automaton over all stop strings (Aho and Corasick, "Efficient string matching",
1975), fed character by character, so that the result depends on the text alone and not on how it
was cut into pieces. Time is linear in the text and in the stop strings' total length.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from convergio_mlx.errors import InvalidRequestError

_ROOT = 0
_MOST = 1 << 20
"""Characters of all stop strings, each of which takes some 250 bytes."""


class StopStrings:
    """Cuts a stream of text at the first stop string that completes.

    Where two complete at the same character the longer one wins. Held back is the longest suffix
    of the text so far that begins some stop string: never more than the longest of them, less one.
    """

    matched: str | None
    """The stop string that ended the text, or None while none has."""

    def __init__(self, stops: str | Iterable[str]) -> None:
        """Builds the automaton.

        Args:
            stops: one string or several; none at all lets everything through.

        Raises:
            InvalidRequestError: a stop string is empty or not a `str`, or they are too long.
        """
        given = [stops] if isinstance(stops, str) else list(stops)
        size = sum(len(stop) for stop in given if isinstance(stop, str))
        if size > _MOST:
            raise InvalidRequestError(
                f"[stop] the stop strings have {size} characters; give at most {_MOST}."
            )
        self._next: list[dict[str, int]] = [{}]
        self._depth: list[int] = [0]
        self._longest: list[str] = [""]
        for stop in given:
            self._insert(stop)
        self._fail = self._link()
        self._node = _ROOT
        self._held: deque[str] = deque()
        self._held_from = 0  # characters of the first held piece that are shown already
        self._held_size = 0
        self.matched = None

    def feed(self, text: str) -> tuple[str, bool]:
        """Takes the next piece of text and returns what may be shown now, and whether it is over.

        Once over, further text is ignored and every call returns `("", True)`.
        """
        if self.matched is not None:
            return "", True
        before = self._held_size
        if text:
            self._held.append(text)
            self._held_size += len(text)
        for index, character in enumerate(text):
            self._node = node = self._step(self._node, character)
            if stop := self._longest[node]:
                self.matched = stop
                return self._release(before + index + 1 - len(stop)), True
        return self._release(self._held_size - self._depth[self._node]), False

    def finish(self) -> str:
        """The text still held back, now that no more will come; empty after a stop string."""
        self._node = _ROOT
        return "" if self.matched is not None else self._release(self._held_size)

    def _insert(self, stop: str) -> None:
        if not isinstance(stop, str) or not stop:
            raise InvalidRequestError(
                f"[stop] {stop!r} is not a stop string; give a text of at least one character."
            )
        node = _ROOT
        for character in stop:
            child = self._next[node].get(character)
            if child is None:
                child = len(self._next)
                self._next[node][character] = child
                self._next.append({})
                self._depth.append(self._depth[node] + 1)
                self._longest.append("")
            node = child
        self._longest[node] = stop

    def _link(self) -> list[int]:
        """For every node, the node of its longest proper suffix that begins some stop string."""
        fail = [_ROOT] * len(self._next)
        self._fail = fail
        queue = deque([_ROOT])
        while queue:
            node = queue.popleft()
            for character, child in self._next[node].items():
                if node != _ROOT:
                    fail[child] = self._step(fail[node], character)
                self._longest[child] = self._longest[child] or self._longest[fail[child]]
                queue.append(child)
        return fail

    def _step(self, node: int, character: str) -> int:
        while True:
            child = self._next[node].get(character)
            if child is not None:
                return child
            if node == _ROOT:
                return _ROOT
            node = self._fail[node]

    def _release(self, size: int) -> str:
        """Removes the first `size` held characters and returns them."""
        self._held_size -= size
        parts: list[str] = []
        while size > 0:
            piece, start = self._held[0], self._held_from
            part = piece[start : start + size]
            if start + len(part) == len(piece):
                self._held.popleft()
                self._held_from = 0
            else:
                self._held_from += len(part)
            parts.append(part)
            size -= len(part)
        return "".join(parts)
