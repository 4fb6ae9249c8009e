"""The checkpoints that engines are compared on: as large as true ones, and of equal content."""

import json
from pathlib import Path

import gguf
import numpy as np
import pytest
import tokenizers

from comparison.checkpoint import Checkpoints
from comparison.contender import CONTENDERS
from comparison.geometry import GEOMETRIES, kv_numbers, weights_read
from comparison.vocabulary import vocabulary

THIN = GEOMETRIES["thin-16"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Checkpoints:
    return Checkpoints(tmp_path_factory.mktemp("checkpoints"))


@pytest.mark.parametrize("size", [512, 5000, 128256])
def test_a_vocabulary_of_a_given_size(size: int) -> None:
    tokens, merges = vocabulary(size)
    assert len(tokens) == len(set(tokens)) == size
    known = set(tokens[:256])
    for head, tail in merges:
        assert head in known
        assert tail in known
        known.add(head + tail)


def test_formats_that_are_compared_are_as_large(made: Checkpoints) -> None:
    """The bits a weight that rows claim are those in the files."""
    weights = weights_read(THIN)
    for one in CONTENDERS:
        path = made.path("thin-16", one)
        if path.is_dir():
            index = json.loads((path / "model.safetensors.index.json").read_text())
            size = index["metadata"]["total_size"]
        else:
            size = sum(tensor.n_bytes for tensor in gguf.GGUFReader(path).tensors)
        assert 8 * size / weights == pytest.approx(one.bits_per_weight, rel=0.02)


@pytest.mark.parametrize("kind", ["Q4_0", "Q4_1"])
def test_gguf_weights_keep_activations_of_order_one(made: Checkpoints, kind: str) -> None:
    contender = next(one for one in CONTENDERS if one.format == kind)
    reader = gguf.GGUFReader(made.path("thin-16", contender))
    by_name = {tensor.name: tensor for tensor in reader.tensors}
    down = by_name["blk.15.ffn_down.weight"]
    values = gguf.dequantize(down.data, down.tensor_type)
    assert values.shape == (128, 256)
    assert np.var(values) == pytest.approx(1 / 256, rel=0.1)
    assert reader.fields["llama.block_count"].contents() == 16
    assert len(reader.fields["tokenizer.ggml.tokens"].contents()) == 512


def test_the_tokenizer_is_one(made: Checkpoints) -> None:
    path = made.path("thin-16", CONTENDERS[0]) / "tokenizer.json"
    tokenizer = tokenizers.Tokenizer.from_file(str(path))
    assert tokenizer.get_vocab_size() == 512
    assert tokenizer.decode(tokenizer.encode("abc, xyz").ids) == "abc, xyz"


def test_what_a_token_reads() -> None:
    assert weights_read(GEOMETRIES["llama-3.2-1b"]) == 1_235_746_816
    large = GEOMETRIES["llama-3.1-8b"]
    assert weights_read(large) == 8_029_995_008 - 128256 * 4096
    assert kv_numbers(large, 2) == 2 * 2 * 8 * 128 * 32


def test_an_interrupted_checkpoint_is_made_again(tmp_path: Path) -> None:
    made = Checkpoints(tmp_path)
    (tmp_path / "thin-16-affine-64.part").mkdir()
    path = made.path("thin-16", CONTENDERS[0])
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
