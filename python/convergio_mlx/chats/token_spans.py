"""Which tokens the text of an answer's events is made of."""

from __future__ import annotations

from collections.abc import Sequence

from convergio_mlx.chats.events import SourceEvent, ToolCallEvent


class TokenSpans:
    """Follows the text of tokens that no event was made of yet: what is held back, marks that are
    no part of any event, and white space that is dropped."""

    def __init__(self) -> None:
        """Begins an answer."""
        self._pieces: list[tuple[int | None, str]] = []

    def add(self, token: int, piece: str) -> None:
        """Takes the next token, by its number in the answer, and the text that it made certain."""
        self._pieces.append((token, piece))

    def take(self, events: Sequence[SourceEvent]) -> list[list[int]]:
        """The numbers of the tokens of each event. All events that the text so far has made must
        be given, in order and once."""
        last = len(events) - 1
        return [self._taken(event, index == last) for index, event in enumerate(events)]

    def _taken(self, event: SourceEvent, is_last: bool) -> list[int]:
        text = getattr(event, "text", None)
        if isinstance(event, ToolCallEvent) or text is None:
            self._pieces.clear()
            return []
        if len(self._pieces) == 1 and self._pieces[0][1] == text:  # as nearly always
            token, _ = self._pieces.pop()
            return [] if token is None else [token]
        whole = "".join(piece for _, piece in self._pieces)
        begin = whole.rfind(text) if is_last else whole.find(text)
        end = begin + len(text) if begin >= 0 else len(whole)  # a parser may write its own
        taken: list[int] = []
        left: list[tuple[int | None, str]] = []
        at = 0
        for token, piece in self._pieces:
            after = at + len(piece)
            is_inside = begin <= at < end or at < begin < after
            if token is not None and is_inside:
                taken.append(token)
            if after > end:  # a token counts once, for the first event that it is in
                left.append((None, piece[end - at :]) if at < end else (token, piece))
            at = after
        self._pieces = left
        return taken
