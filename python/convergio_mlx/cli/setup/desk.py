"""Where the menus are shown and answered."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from convergio_mlx.cli.line_input import LineInput
from convergio_mlx.cli.numbers import menu_number
from convergio_mlx.cli.output import BOLD, DIM, Stream
from convergio_mlx.cli.reporting import report
from convergio_mlx.errors import ConvergioError

_CLEAR = "\x1b[2J\x1b[H"


@dataclass(frozen=True)
class Choice:
    """A line of a menu."""

    name: str
    about: str
    act: Callable[[], None]


class Desk:
    """The screen, and the lines a person types. Questions raise EOFError at Ctrl-D or at the end
    of what a pipe holds, and KeyboardInterrupt at Ctrl-C; both leave the menus."""

    def __init__(self, out: Stream, err: Stream) -> None:
        """Shows on `out`; errors are reported on `err`."""
        self.out = out
        self.err = err
        self.lines = LineInput(out, err)
        self._news: list[Callable[[], object]] = []

    def ask(self, draw: Callable[[], None]) -> str:
        """Shows something, below it what has happened since the last question, and takes the line
        that is typed. While it waits, another size of the window has it drawn again."""
        news, self._news = self._news, []

        def draw_all() -> None:
            draw()
            if news:
                self.out.line()
            for show in news:
                show()

        self.out.line()
        draw_all()
        with self._drawn_again(draw_all):
            return self.lines.read().strip()

    def tell(self, text: str) -> None:
        """Something that has happened. At a terminal it stands below the next screen, so that the
        screen does not push it out of sight."""
        self._tell(lambda: self.out.line(text))

    def _tell(self, show: Callable[[], object]) -> None:
        if self.out.is_terminal:
            self._news.append(show)
        else:
            show()

    def pause(self) -> None:
        """Waits for Enter at a terminal, before the next screen pushes this one out of sight."""
        if self.out.is_terminal:
            self.ask(lambda: self.out.line("Enter goes back.", style=DIM))

    def choose(self, draw: Callable[[], None], choices: Sequence[Choice]) -> bool:
        """Shows a menu below `draw` and does what is chosen; False for an empty line, which goes
        back."""

        def menu() -> None:
            draw()
            self.out.line()
            width = max(len(choice.name) for choice in choices)
            for number, choice in enumerate(choices, 1):
                self.out.hanging(f"  {number}  {choice.name:{width}}  ", choice.about)
            self.hint("Number and Enter; an empty line goes back.")

        typed = self.ask(menu)
        if not typed:
            return False
        number = menu_number(typed)
        if number is not None and 1 <= number <= len(choices):
            self.attempt(choices[number - 1].act)
        else:
            numbers = "1" if len(choices) == 1 else f"a number from 1 to {len(choices)}"
            self.tell(f"There is no {typed[:40]!r} here; type {numbers}.")
        return True

    def agrees(self, question: str) -> bool:
        """Whether the answer to a question is yes."""
        return self.ask(lambda: self.out.line(f"{question} [y/N]")).lower() in {"y", "yes"}

    def attempt(self, act: Callable[[], None]) -> None:
        """Does something; an error is reported, and the menus go on."""
        try:
            act()
        except ConvergioError as error:
            failed = error
            self._tell(lambda: report(failed, self.err))

    def title(self, text: str, beside: str = "") -> None:
        """The head of a screen."""
        self.out.hanging((f"{text}  " if beside else text, BOLD), beside)

    def hint(self, text: str) -> None:
        """What can be typed."""
        self.out.line()
        self.out.line(text, style=DIM)

    @contextmanager
    def _drawn_again(self, draw: Callable[[], None]) -> Iterator[None]:
        if not self.out.is_terminal or self.out.is_dumb:
            yield
            return
        width = self.out.columns

        def on_resize(_number: int, _frame: FrameType | None) -> None:
            nonlocal width
            if self.out.columns == width:
                return
            width = self.out.columns
            self.out.raw(_CLEAR)
            draw()
            self.out.raw(f"> {self.lines.typed}")

        before = signal.signal(signal.SIGWINCH, on_resize)
        try:
            yield
        finally:
            signal.signal(signal.SIGWINCH, before)
