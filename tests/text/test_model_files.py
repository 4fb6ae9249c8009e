"""Whatever stands in place of a small file of a model's folder: reading it ends at once, typed."""

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from convergio_mlx import Engine, SamplingParams
from convergio_mlx.errors import LoadError

GUIDE = Path(__file__).parents[2] / "python" / "convergio_mlx" / "guide"
NAMES = [
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "model.safetensors",
    "model.safetensors.index.json",
    "additional_chat_templates/other.jinja",
]
UNUSED = (
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.json",
    "model.safetensors.index.json",
)
"""What is not read where newer files say the same."""
BRIEF = SamplingParams(max_tokens=1)


def outcome_of(work: Callable[[], object]) -> BaseException | None:
    """What a call raises; a failure where it does not end."""
    found: list[BaseException | None] = []

    def run() -> None:
        try:
            work()
            found.append(None)
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive()
    return found[0]


@pytest.mark.parametrize("kind", ["pipe", "device"])
@pytest.mark.parametrize("name", NAMES)
def test_a_pipe_or_a_device_is_not_read(tmp_path: Path, name: str, kind: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(GUIDE, folder)
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")

    def answer() -> None:
        with Engine.load(folder) as engine:
            engine.generate([{"role": "user", "content": "hello"}], BRIEF).text()

    error = outcome_of(answer)
    assert isinstance(error, LoadError | None)
    assert (error is None) == (name in UNUSED)
