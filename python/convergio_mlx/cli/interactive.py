"""A conversation at the terminal: questions, answers, and a few commands."""

from __future__ import annotations

from convergio_mlx.cli.conversation import Conversation
from convergio_mlx.cli.line_input import LineInput
from convergio_mlx.cli.output import Stream
from convergio_mlx.cli.reporting import report
from convergio_mlx.cli.session import Session
from convergio_mlx.cli.timings import Timings
from convergio_mlx.errors import ContextLengthError, ConvergioError

_HELP = (
    "/system TEXT  how to answer from now on",
    "/system       no system text any more",
    "/clear        forget what was said",
    "/stats        what the last answer took",
    "/help         this list",
    "/exit         leave, as Ctrl-D does",
    "Ctrl-C        stop an answer",
)


def converse(session: Session, conversation: Conversation, lines: LineInput | None = None) -> None:
    """Talks until the person leaves, who types into `lines` where something else reads them
    too."""
    Conversing(session, conversation, lines or LineInput(session.out, session.err)).run()


class Conversing:
    """The loop of reading and answering. It is only left on purpose: whatever fails is told, and
    the next question can be asked."""

    def __init__(self, session: Session, conversation: Conversation, lines: LineInput) -> None:
        """Takes a loaded model, what was said before, and where the person types."""
        self._session = session
        self._conversation = conversation
        # With --json or in a pipe, standard output is for answers alone.
        plain = session.out.is_terminal and not session.options.json
        self._screen: Stream = session.out if plain else session.err
        self._input = lines
        self._timings: Timings | None = None

    def run(self) -> None:
        """Reads and answers until Ctrl-D, /exit, or Ctrl-C twice in an empty line."""
        engine = self._session.engine
        self._screen.line(
            f"{self._session.options.model}, {engine.context_window} tokens of context. "
            "/help lists commands, Ctrl-D leaves."
        )
        leaving = False
        while True:
            self._screen.line()
            try:
                said = self._input.read().strip()
            except EOFError:
                self._screen.raw("\n")
                return
            except KeyboardInterrupt:
                self._screen.raw("\n")
                if leaving and not self._input.typed:
                    return
                leaving = not self._input.typed
                if leaving:
                    self._session.note("Ctrl-C again or Ctrl-D leaves.")
                continue
            leaving = False
            if said.startswith("/"):
                if not self._command(said):
                    return
            elif said:
                self._answer(said)

    def _answer(self, question: str) -> None:
        session = self._session
        try:
            answer = session.answer(self._conversation.asking(question))
        except KeyboardInterrupt:
            session.note("Stopped.")
            return
        except ConvergioError as error:
            report(error, session.err)
            if isinstance(error, ContextLengthError) and len(self._conversation):
                session.err.line("/clear forgets what was said and makes room.")
            return
        self._timings = answer.timings
        self._conversation.keep(question, answer.text)
        session.conclude_message(answer)
        if answer.finish_reason == "cancelled":
            session.note("Stopped.")
        elif session.is_full(answer):
            session.note("/clear forgets what was said and makes room.")

    def _command(self, line: str) -> bool:
        """Obeys a command; False where it is to leave."""
        name, _, text = line.partition(" ")
        lines: tuple[str, ...] = ()
        match name:
            case "/exit":
                return False
            case "/help":
                lines = _HELP
            case "/clear":
                self._conversation.clear()
                lines = ("What was said is forgotten.",)
            case "/stats":
                known = self._timings
                lines = tuple(known.lines()) if known else ("There is no answer yet.",)
            case "/system":
                self._conversation.system = text.strip() or None
                lines = ("The system text is set.",) if text else ("There is no system text.",)
            case _:
                lines = (f"There is no command {name}; /help lists them.",)
        for shown in lines:
            self._screen.line(shown)
        return True
