"""A loaded model and a conversation with it, whose answers go onto the screen."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import closing

from convergio_mlx.chats.events import FinishEvent, ReasoningEvent, TextEvent
from convergio_mlx.chats.response import ChatResponse
from convergio_mlx.cli.interrupts import Interrupts
from convergio_mlx.cli.screen import Answer, Piece, Screen
from convergio_mlx.cli.waiting import Waiting
from convergio_mlx.generation.stats import GenerationStats
from convergio_mlx.providers.compaction import Compaction, CompactionEvent
from convergio_mlx.providers.conversation import Conversation
from convergio_mlx.providers.mlx import MlxProvider

_READING = "reading the prompt"


class ChatSession:
    """Answers one question after another. The conversation keeps the messages, and compacts them
    before the model's context window is full."""

    def __init__(self, screen: Screen, system: str | None = None) -> None:
        """Loads the model that the screen's options name.

        Raises:
            ConvergioError: an option cannot be honoured, or the model cannot be loaded.
        """
        self.screen = screen
        self._params = screen.options.sampling()
        options = screen.options
        self._provider = MlxProvider(
            draft_models={options.model: options.draft_model} if options.draft_model else None,
            force=screen.options.force,
            prepare_constraints=False,  # there are no tools here
        )
        start = time.perf_counter()
        with Waiting(screen.err, f"loading {screen.options.model}"):
            self._provider.init()
            self._provider.load(screen.options.model)
            self._provider.count_tokens(screen.options.model, None, "x")  # reads the template too
        screen.load_seconds = time.perf_counter() - start
        self.conversation = Conversation(self._provider, screen.options.model, system=system)
        self._response: ChatResponse | None = None

    def ask(self, question: str) -> Answer:
        """Answers a question onto the screen. Ctrl-C ends the answer early.

        Raises:
            ConvergioError: the question cannot be honoured, or the computation failed; the
                conversation is then as it was before.
            KeyboardInterrupt: Ctrl-C before there was an answer.
        """
        notes: list[str] = []
        with Waiting(self.screen.err, _READING) as waiting, Interrupts(self.conversation.cancel):

            def begin() -> None:
                waiting.done()
                for note in notes:
                    self.screen.note(note)

            with closing(self._pieces(question, waiting, notes)) as pieces:
                return self.screen.show(pieces, self._stats, begin)

    def clear(self) -> None:
        """Starts the conversation again; the system text stays."""
        before = self.conversation
        self.conversation = Conversation(self._provider, before.model, system=before.system)

    def close(self) -> None:
        """Lets go of the model."""
        self._provider.shutdown()

    def _pieces(
        self, question: str, waiting: Waiting, notes: list[str]
    ) -> Generator[Piece, None, None]:
        options = self.screen.options
        stream = self.conversation.stream(question, params=self._params, timeout=options.timeout)
        with closing(stream) as events:
            for event in events:
                match event:
                    case TextEvent():
                        yield Piece(event.text)
                    case ReasoningEvent():
                        yield Piece(reasoning=event.text)
                    case CompactionEvent(compaction=None):
                        waiting.now(
                            "summarizing the oldest messages "
                            f"({event.summarized} of {event.messages} done)"
                        )
                    case CompactionEvent(compaction=Compaction() as done):
                        notes.append(_told(done))
                        waiting.now(_READING)
                    case FinishEvent(response):
                        self._response = response
                        yield Piece(finish_reason=response.finish_reason)

    def _stats(self) -> GenerationStats:
        return GenerationStats() if self._response is None else self._response.stats


def _told(done: Compaction) -> str:
    """What a compaction did, for a person."""
    how = "are replaced by a summary" if done.kind == "summary" else "are left out"
    return (
        f"The oldest {done.replaced} messages {how}: {done.tokens_before} tokens became "
        f"{done.tokens_after}."
    )
