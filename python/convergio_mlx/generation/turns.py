"""Who reads what is made for asyncio."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from convergio_mlx.generation.reader import already_read

if TYPE_CHECKING:
    import asyncio


class Turns:
    """Lets one task read at a time, on one loop."""

    def __init__(self, speaker: str) -> None:
        """Takes who tells a second reader."""
        self.loop: asyncio.AbstractEventLoop | None = None
        """The loop of the first reader."""
        self._speaker = speaker
        self._taken = False

    @contextmanager
    def one(self, failed: Callable[[BaseException], object]) -> Iterator[None]:
        """The running task's turn. `failed` is told of what is raised within.

        Raises:
            InvalidRequestError: another task is reading, or one on another loop has read.
        """
        import asyncio

        loop = asyncio.get_running_loop()
        if self._taken or (self.loop or loop) is not loop:
            raise already_read(self._speaker)
        self.loop = loop
        self._taken = True
        try:
            yield
        except BaseException as error:
            failed(error)
            raise
        finally:
            self._taken = False
