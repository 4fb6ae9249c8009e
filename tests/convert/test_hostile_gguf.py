"""Files that lie: typed errors, and nothing else."""

from __future__ import annotations

import random
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

import checkpoints
from arch.variants import tiny
from convergio_mlx.convert.gguf import convert_gguf, inspect_gguf
from convergio_mlx.convert.gguf_source import GgufSource
from convergio_mlx.errors import ConvergioError, ModelCorruptError
from convert import gguf_files
from convert.gguf_files import Kind
from convert.llama_cpp_cases import BY_NAME

CONFIG = {**tiny("llama"), "num_hidden_layers": 1}
SEED = 20261128
MUTATIONS = 50


def model(path: Path, **changes: Any) -> Path:
    weights = checkpoints.weights(CONFIG)
    return gguf_files.write_model(path, CONFIG, weights, kinds=[Kind.Q8_0, Kind.F32], **changes)


def head(tensors: int, keys: int) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, tensors, keys)


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def test_a_million_keys_are_refused_without_reading_them(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    one = text(b"k") + struct.pack("<IB", 0, 1)
    path.write_bytes(head(0, 10**6) + one * 10**6)
    tracemalloc.start()
    with pytest.raises(ModelCorruptError) as refused:
        inspect_gguf(path)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()
    assert str(refused.value) == (
        "[gguf] m.gguf: claims 1000000 keys, more than the 65536 that are read; get the file again."
    )


def test_as_many_keys_as_are_read(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    count = 1 << 16
    keys = b"".join(text(b"k%d" % i) + struct.pack("<II", 4, i) for i in range(count))
    path.write_bytes(head(0, count) + keys)
    assert GgufSource(path).metadata[f"k{count - 1}"] == count - 1


def test_strings_that_are_not_utf_8_are_bytes(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    value = struct.pack("<IQ", 8, 2) + text(b"\xff\xfe") + text("é".encode())
    path.write_bytes(head(0, 1) + text(b"a\0b") + struct.pack("<I", 9) + value)
    assert GgufSource(path).metadata == {"a\0b": [b"\xff\xfe", "é"]}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"llama__embedding_length": "64"}, "key 'llama.embedding_length' is '64', which must be"),
        (
            {"llama__embedding_length": 0},
            "key 'llama.embedding_length' is 0, which must be a count",
        ),
        ({"llama__block_count": None}, "key 'llama.block_count' is missing, which must be a count"),
        ({"llama__feed_forward_length": [96, 95]}, "is [96, 95], which must be one for all"),
        (
            {"llama__attention__layer_norm_rms_epsilon": float("nan")},
            "key 'llama.attention.layer_norm_rms_epsilon' is nan, which must be a number above 0",
        ),
        ({"llama__rope__freq_base": -1.0}, "key 'llama.rope.freq_base' is -1.0, which must be a"),
        ({"llama__attention__value_length": 8}, "keys of 16 numbers and values of 8"),
        ({"llama__rope__dimension_count": 8}, "8 of a head's 16 numbers are rotated"),
        (
            {"llama__attention__head_count": 5},
            "'blk.0.attn_q.weight' has 64 rows for 5 heads",
        ),
        (
            {"llama__block_count": 2},
            "its tensors do not fit its keys: 'model.layers.1.input_layernorm.weight' is missing",
        ),
        ({"llama__block_count": 0}, "key 'llama.block_count' is 0, which must be a count"),
        (
            {"llama__feed_forward_length": 64},
            "fit its keys: 'model.layers.0.mlp.gate_proj.weight' has shape (96, 64), expected (64,",
        ),
        ({"llama__attention__head_count_kv": 3}, "'num_attention_heads' is 4, which must be a"),
        ({"tokenizer__ggml__model": "wordpiece"}, "wordpiece"),
    ],
)
def test_keys_that_cannot_be_are_named(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    found = inspect_gguf(model(tmp_path / "m.gguf", **changes))
    assert any(said in refusal for refusal in found.refusals), found.refusals


@pytest.mark.parametrize(
    "name", [None, *(pytest.param(name, marks=pytest.mark.slow) for name in BY_NAME)]
)
def test_any_byte_may_be_another(name: str | None, tmp_path: Path) -> None:
    """Of the head, where it matters most; and the file may end anywhere."""
    path = model(tmp_path / "whole.gguf") if name is None else BY_NAME[name].path
    whole = path.read_bytes()
    chance = random.Random(SEED)
    size = whole.index(b"blk.0") + 1200
    path = tmp_path / "m.gguf"
    said = []
    for number in range(MUTATIONS):
        changed = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            changed[chance.randrange(size)] = chance.choice([0, 1, 8, 127, 255])
        cut = chance.randrange(len(whole)) if number % 5 == 0 else len(whole)
        path.write_bytes(changed[:cut])
        try:
            convert_gguf(path, tmp_path / f"out-{number}")
        except ConvergioError as error:
            said.append(str(error))
    assert len(said) > MUTATIONS / 2
    assert all(one.startswith("[") and one.endswith(".") for one in said)
