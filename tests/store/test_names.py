"""Whatever names come from outside: what is made of them is one file in one folder."""

import os
import re
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergio_mlx.errors import ModelCorruptError, ModelNotFoundError
from convergio_mlx.store import names
from convergio_mlx.store.layout import checked_id, model_folder

NEEDED = ["config.json", "tokenizer.json", "model.safetensors"]
PIECES = st.sampled_from(
    [
        *[
            "model",
            "weights",
            "-00001",
            ".safetensors",
            "config.json",
            "tokenizer",
            ".json",
            ".part",
            "..",
            "/",
            "\\",
            "~",
            ":",
            "$HOME",
            "CON",
            "é",
            "A",
            "\x1b[2J",
            "\x00",
            "\u202e",
        ],
        " ",
        "\n",
    ]
)
NAMES = st.lists(PIECES, max_size=6).map("".join) | st.text(max_size=30)


@given(st.lists(NAMES, max_size=8))
def test_listings(listed: list[str]) -> None:
    try:
        every = [*NEEDED, *listed]
        small = names.small_files(every, "a repository")
        found = [*small, *names.weight_files(every, None, "a repository")]
    except ModelCorruptError as error:
        found, said = [], str(error)
    else:
        said = ""
    assert said.isprintable()
    for name in found:
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name)
        assert PurePosixPath(name).name == name
        assert name.endswith((".json", ".jinja", ".safetensors"))
    assert len({name.casefold() for name in found}) == len(found)


@given(NAMES | st.builds("mlx/{}".format, NAMES))
def test_ids(text: str) -> None:
    try:
        name, said = checked_id(text), ""
    except ModelNotFoundError as error:
        name, said = "x", str(error)
        text = "x"
    assert said.isprintable()
    folder = model_folder(text)
    assert os.path.normpath(folder) == str(folder)
    assert folder.name == name
    assert re.fullmatch(r"[a-z0-9][a-z0-9._-]*", name)


@pytest.mark.parametrize("value", [None, 7, b"x", ["x"], 1.5])
def test_what_is_no_text_is_no_id(value: object) -> None:
    with pytest.raises(ModelNotFoundError):
        checked_id(value)  # type: ignore[arg-type]
