"""Which models are loaded: on demand, once for many first uses, gone when idle or in the way."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from convergio_mlx.errors import OutOfMemoryError, OverloadedError
from convergio_mlx.store.locate import locate

if TYPE_CHECKING:
    from convergio_mlx.engine.engine import Engine


class Memory(Protocol):
    """How much memory there is for models, and what one needs. Bytes."""

    def budget(self) -> int | None:
        """What all models together may take; None where it is unknown."""

    def need(self, folder: Path) -> int:
        """What a model takes, its caches included."""

    def check(self, name: str, folder: Path) -> None:
        """Raises `OutOfMemoryError` where a model has no room even alone."""


@dataclass
class _Entry:
    """A model that is loaded, or being loaded while `engine` is None."""

    name: str
    need: int = 0
    engine: Engine | None = None
    uses: int = 0
    last_use: float = field(default_factory=time.monotonic)
    dropped: bool = False


@dataclass(frozen=True)
class LoadedModel:
    """A model that is loaded."""

    name: str
    """As it was first asked for."""
    bytes: int
    """Its estimated size."""
    uses: int
    """Answers under way."""
    idle_seconds: float
    """Since the last of them ended; 0 while there is one."""


class Lease:
    """An engine for one answer; it stays loaded until released."""

    def __init__(self, models: Models, entry: _Entry, engine: Engine) -> None:
        """Made by `Models.acquire`."""
        self.engine = engine
        self._models = models
        self._entry: _Entry | None = entry

    def release(self) -> None:
        """Says that the answer is over. Idempotent."""
        entry, self._entry = self._entry, None
        if entry is not None:
            self._models._release(entry)


class Models:
    """The models of one provider; safe to call from any thread.

    The lock is one that its thread may take again, since a stream's finalizer releases its lease
    wherever Python happens to run it; releasing changes counts alone.
    """

    def __init__(
        self,
        memory: Memory,
        load: Callable[[Path], Engine],
        idle_seconds: float | None = None,
        wait_seconds: float = 10.0,
    ) -> None:
        """Loads nothing yet.

        Args:
            memory: how much there is.
            load: maps the model in a folder.
            idle_seconds: unload a model that was not used for so long; None: never for that.
            wait_seconds: how long a load waits for models in use to make room.
        """
        self._memory = memory
        self._load = load
        self._idle_seconds = idle_seconds
        self._wait_seconds = wait_seconds
        self._changed = threading.Condition(threading.RLock())
        self._entries: dict[Path, _Entry] = {}
        self._folders: dict[str, Path] = {}
        self._reaper: threading.Thread | None = None

    def acquire(self, model: str) -> Lease:
        """A model's engine, loaded where it is not.

        Raises:
            ModelNotFoundError, ModelCorruptError, …: as `Engine.load`.
            OutOfMemoryError: the memory does not suffice.
            OverloadedError: models in use leave no room; it works once their answers are over.
        """
        folder = locate(model).resolve()
        with self._changed:
            self._folders[model] = folder
            while (entry := self._entries.get(folder)) is not None:
                if entry.engine is not None:
                    return self._lease(entry)
                self._changed.wait()  # another thread is loading it
            entry = self._entries[folder] = _Entry(model)
        try:
            engine = self._loaded(folder, entry)
        except BaseException:
            with self._changed:
                if not entry.dropped:
                    self._drop(folder)
            raise
        with self._changed:
            entry.engine = engine
            lease = self._lease(entry)
            self._changed.notify_all()
            self._reap()
            return lease

    def acquire_loaded(self, model: str) -> Lease | None:
        """As `acquire`, where that need not load or wait. It does not look at files, so that an
        asyncio loop can call it: each look gives other threads the GIL, and takes its time to get
        it back."""
        with self._changed:
            folder = self._folders.get(model) if isinstance(model, str) else None
            entry = None if folder is None else self._entries.get(folder)
            return None if entry is None or entry.engine is None else self._lease(entry)

    async def aacquire(self, model: str) -> Lease:
        """As `acquire`, with a load on another thread; a lease that comes after its caller
        has left is released."""
        lease = self.acquire_loaded(model)
        if lease is not None:
            return lease
        future = asyncio.get_running_loop().run_in_executor(None, self.acquire, model)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            future.add_done_callback(_release)
            raise

    def unload(self, model: str) -> bool:
        """Lets go of a model; answers under way end as they would, and its memory is free after
        them. False where it was not loaded."""
        folder = locate(model).resolve()
        with self._changed:
            entry = self._entries.get(folder)
            if entry is None or entry.engine is None:
                return False
            self._drop(folder)
            return True

    def loaded(self) -> list[LoadedModel]:
        """The models that are loaded, the one used last at the end."""
        now = time.monotonic()
        with self._changed:
            entries = [entry for entry in self._entries.values() if entry.engine is not None]
            return [
                LoadedModel(
                    entry.name, entry.need, entry.uses, 0 if entry.uses else now - entry.last_use
                )
                for entry in sorted(entries, key=lambda one: one.last_use)
            ]

    def close(self) -> None:
        """Lets go of all models."""
        with self._changed:
            for folder in list(self._entries):
                self._drop(folder)
            reaper = self._reaper
        if reaper is not None:
            reaper.join()

    def _lease(self, entry: _Entry) -> Lease:
        assert entry.engine is not None
        entry.uses += 1
        entry.last_use = time.monotonic()
        return Lease(self, entry, entry.engine)

    def _release(self, entry: _Entry) -> None:
        with self._changed:
            entry.uses -= 1
            entry.last_use = time.monotonic()
            self._settle(entry)

    def _drop(self, folder: Path) -> None:
        entry = self._entries.pop(folder)
        self._folders = {name: one for name, one in self._folders.items() if one != folder}
        entry.dropped = True
        self._settle(entry)

    def _settle(self, entry: _Entry) -> None:
        """Closes what is no longer held, and wakes whoever waits for that."""
        if not entry.uses:
            if entry.dropped and entry.engine is not None:
                entry.engine.close()
            self._changed.notify_all()

    def _loaded(self, folder: Path, entry: _Entry) -> Engine:
        need = self._memory.need(folder)
        self._memory.check(entry.name, folder)
        with self._changed:
            self._make_room(need, entry)
            entry.need = need
        while True:
            try:
                return self._load(folder)
            except OutOfMemoryError:  # the estimate was too low: unload what is idle
                with self._changed:
                    victim = self._longest_idle()
                    if victim is None:
                        raise
                    self._drop(victim)

    def _make_room(self, need: int, entry: _Entry) -> None:
        deadline = time.monotonic() + self._wait_seconds
        while held := sum(one.need for one in self._entries.values()):
            budget = self._memory.budget()
            if budget is None or held + need <= budget:
                return
            victim = self._longest_idle()
            if victim is not None:
                self._drop(victim)
            elif not self._changed.wait(max(deadline - time.monotonic(), 0)):
                names = [one.name for one in self._entries.values() if one is not entry]
                raise OverloadedError(
                    f"[models] {entry.name!r} needs {_gb(need)} of the {_gb(budget)} for models, "
                    f"and those in use hold {_gb(held)} ({str(names)[1:-1]}); ask again when "
                    "their answers are complete."
                )

    def _longest_idle(self) -> Path | None:
        idle = [
            (one.last_use, folder)
            for folder, one in self._entries.items()
            if one.engine is not None and not one.uses
        ]
        return min(idle)[1] if idle else None

    def _reap(self) -> None:
        """Starts the thread that unloads what is idle, where that is wanted and none runs."""
        if self._idle_seconds is not None and self._reaper is None:
            self._reaper = threading.Thread(
                target=self._unload_idle, name="convergio-mlx-idle", daemon=True
            )
            self._reaper.start()

    def _unload_idle(self) -> None:
        limit = self._idle_seconds or 0.0
        with self._changed:
            while self._entries:
                now = time.monotonic()
                wait = limit
                for folder, entry in list(self._entries.items()):
                    if entry.engine is None or entry.uses:
                        continue
                    left = entry.last_use + limit - now
                    if left <= 0:
                        self._drop(folder)
                    else:
                        wait = min(wait, left)
                if self._entries:
                    self._changed.wait(max(wait, 0.001))
            self._reaper = None


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB"


def _release(future: asyncio.Future[Lease]) -> None:
    if not future.cancelled() and future.exception() is None:
        future.result().release()
