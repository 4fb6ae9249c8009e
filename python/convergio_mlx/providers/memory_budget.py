"""How much memory models may take together, and what one needs: by convergio_mlx.sizing.fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from convergio_mlx.errors import InvalidRequestError, OutOfMemoryError

if TYPE_CHECKING:
    from convergio_mlx.sizing.footprint import Footprint


def _no_draft(_: Path) -> None:
    return None


class FitMemory:
    """The memory of this machine, or less where the host says so."""

    def __init__(
        self,
        limit: int | None = None,
        *,
        force: bool = False,
        draft_of: Callable[[Path], Path | None] = _no_draft,
    ) -> None:
        """Looks at nothing yet.

        Args:
            limit: bytes that models may take at most; None: what the machine has.
            force: refuse no model for its size, as `Engine.load(force=True)`.
            draft_of: where the smaller model lies that drafts for the one in a folder.
        """
        if limit is not None and (
            isinstance(limit, bool) or not isinstance(limit, int) or limit < 1
        ):
            raise InvalidRequestError(
                f"[mlx] memory_bytes is {limit!r}, which must be a whole number above 0, or None."
            )
        self._limit = limit
        self._force = force
        self._draft_of = draft_of

    def budget(self) -> int | None:
        """Bytes for all models: what is available now and what MLX holds already, within the limit
        of `set_memory_limit`. Mapped weights that are not in use count as available to the system,
        so those of loaded models are part of it too. None where nothing limits it."""
        if self._force:
            return None
        from convergio_mlx.sizing.fit import memory_for_models
        from convergio_mlx.sizing.memory import memory_use

        memory, use = memory_for_models(), memory_use()
        limits = [] if self._limit is None else [self._limit]
        if memory is not None:  # else MLX's own limit says nothing either
            limits += [memory.available + use.active, use.limit]
        return min(limits, default=None)

    def need(self, folder: Path) -> int:
        """Bytes of a model with the shortest context that it is worth loading for; 0 where its
        files cannot be looked at, which loading it will tell better."""
        from convergio_mlx.sizing.fit import Fit

        footprint = self._footprint(folder)
        return 0 if footprint is None else Fit(footprint, 0).least.total

    def check(self, name: str, folder: Path) -> None:
        """Refuses a model that has no room even alone.

        Raises:
            OutOfMemoryError: with the numbers.
        """
        from convergio_mlx.sizing.fit import check, size

        need, budget = self.need(folder), self.budget()
        if budget is None or need <= budget:
            return
        if self._limit is None:
            check(name, folder, draft=self._draft_of(folder))  # knows what would fit instead
        raise OutOfMemoryError(
            f"[mlx] {name[:200]!r} needs {size(need)} of memory and models may take "
            f"{size(budget)}; allow them more, or take a smaller model."
        )

    def window(self, folder: Path) -> int:
        """Tokens of prompt and answer that a model has room for, alone.

        Raises:
            ModelCorruptError, UnsupportedModelError: the engine cannot run it.
        """
        from convergio_mlx.sizing.fit import Fit

        footprint = self._footprint(folder)
        if footprint is None:  # raises what is wrong with it
            from convergio_mlx.engine.engine import Engine

            with Engine.load(folder) as engine:
                return engine.context_window
        budget = self.budget()
        if budget is None:
            return footprint.context_window
        fit = Fit(footprint, budget)
        return fit.context or fit.least.context

    def _footprint(self, folder: Path) -> Footprint | None:
        """A model's, with that of the one that drafts for it."""
        from convergio_mlx.sizing.footprint import folder_footprint

        footprint, draft = folder_footprint(folder), self._draft_of(folder)
        if footprint is None or draft is None:
            return footprint
        return replace(footprint, draft=folder_footprint(draft))
