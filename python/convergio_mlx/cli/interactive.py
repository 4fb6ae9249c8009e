"""A conversation at the terminal: questions, answers, and a few commands."""

from __future__ import annotations

from convergio_mlx.cli.chat_session import ChatSession
from convergio_mlx.cli.line_input import LineInput
from convergio_mlx.cli.output import Stream
from convergio_mlx.cli.reporting import report
from convergio_mlx.cli.timings import Timings
from convergio_mlx.errors import ContextLengthError, ConvergioError
from convergio_mlx.store.locate import GUIDE_ID

_HELP = (
    "/system TEXT  set the system text: how to answer",
    "/system       remove the system text",
    "/clear        clear the conversation",
    "/stats        time and memory of the last answer",
    "/help         this list",
    "/exit         leave, as Ctrl-D does",
    "Ctrl-C        stop an answer",
)


def converse(session: ChatSession, lines: LineInput | None = None) -> None:
    """Runs until the person leaves.

    Args:
        session: the model and the conversation with it.
        lines: where the person types, if something else reads lines too.
    """
    Conversing(session, lines or LineInput(session.screen.out, session.screen.err)).run()


class Conversing:
    """The loop of reading and answering. Only the person ends it: an error is reported, and the
    next question can be asked."""

    def __init__(self, session: ChatSession, lines: LineInput) -> None:
        """Takes a loaded model and where the person types."""
        self._session = session
        self._screen = session.screen
        # With --json or in a pipe, standard output is for answers alone.
        plain = self._screen.out.is_terminal and not self._screen.options.json
        self._told: Stream = self._screen.out if plain else self._screen.err
        self._input = lines
        self._timings: Timings | None = None

    def run(self) -> None:
        """Reads and answers until Ctrl-D, /exit, or Ctrl-C twice in an empty line."""
        model, window = self._screen.options.model, self._session.conversation.window
        self._told.line(
            f"{model}, {window} tokens of context. /help lists commands, Ctrl-D leaves."
        )
        if model.removeprefix("mlx/") == GUIDE_ID:
            self._screen.note(
                "This is a small demonstration model; `convergio-mlx models recommend` names "
                "better ones."
            )
        leaving = False
        while True:
            self._told.line()
            try:
                said = self._input.read().strip()
            except EOFError:
                self._told.raw("\n")
                return
            except KeyboardInterrupt:
                self._told.raw("\n")
                if leaving and not self._input.typed:
                    return
                leaving = not self._input.typed
                if leaving:
                    self._screen.note("Ctrl-C again or Ctrl-D leaves.")
                continue
            leaving = False
            if said.startswith("/"):
                if not self._command(said):
                    return
            elif said:
                self._answer(said)

    def _answer(self, question: str) -> None:
        screen = self._screen
        try:
            answer = self._session.ask(question)
        except KeyboardInterrupt:
            screen.note("Stopped.")
            return
        except ConvergioError as error:
            report(error, screen.err)
            if isinstance(error, ContextLengthError) and self._session.conversation.originals:
                screen.err.line("/clear clears the conversation and makes room.")
            return
        self._timings = answer.timings
        screen.conclude_message(answer)
        if answer.finish_reason == "cancelled":
            screen.note("Stopped.")
        elif screen.is_full(answer):
            screen.note("/clear clears the conversation and makes room.")

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
                self._session.clear()
                lines = ("The conversation is cleared.",)
            case "/stats":
                known = self._timings
                lines = tuple(known.lines()) if known else ("No answer yet.",)
            case "/system":
                self._session.conversation.system = text.strip() or None
                lines = ("The system text is set.",) if text else ("There is no system text.",)
            case _:
                lines = (f"There is no command {name}; /help lists them.",)
        for shown in lines:
            self._told.line(shown)
        return True
