"""What has been said so far."""

from __future__ import annotations

Message = dict[str, str]


class Conversation:
    """A system text and complete turns: a question is kept together with its answer or not at
    all, since templates want the two to alternate."""

    def __init__(self, system: str | None = None) -> None:
        """Begins with nothing said."""
        self.system = system
        self._turns: list[Message] = []

    def __len__(self) -> int:
        """Messages that were said."""
        return len(self._turns)

    def asking(self, question: str) -> list[Message]:
        """The messages to answer next, in OpenAI's shape."""
        system = [{"role": "system", "content": self.system}] if self.system else []
        return [*system, *self._turns, {"role": "user", "content": question}]

    def keep(self, question: str, answer: str) -> None:
        """Adds a turn, unless the answer is empty."""
        if answer.strip():
            self._turns += [
                {"role": "user", "content": question},
                {"role": "assistant", "content": answer},
            ]

    def clear(self) -> None:
        """Forgets the turns; the system text stays."""
        self._turns.clear()
