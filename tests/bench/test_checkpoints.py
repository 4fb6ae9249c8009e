"""The checkpoints that engines are compared on: as large as true ones, and of equal content."""

import json
import os
from pathlib import Path

import gguf
import numpy as np
import pytest
import tokenizers

import fabricate
from comparison import gguf_file
from comparison.checkpoint import Checkpoints, checkpoint, quantization
from comparison.contender import CONTENDERS
from comparison.geometry import (
    GEOMETRIES,
    Config,
    kv_kept,
    kv_read,
    weights_read,
)
from comparison.gguf_keys import ARCHITECTURES
from comparison.vocabulary import vocabulary
from convergio_mlx.platform.native import native
from convert.llama_cpp_cases import BY_NAME

THIN = GEOMETRIES["thin-16"]
SMALL_EXPERTS = GEOMETRIES["gpt-oss-20b-8"] | {
    "vocab_size": 512,
    "hidden_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "intermediate_size": 64,
    "num_local_experts": 4,
    "layer_types": ["sliding_attention", "full_attention"],
}
SMALL_GEMMA = GEOMETRIES["gemma-4-e4b"] | {
    "vocab_size": 512,
    "vocab_size_per_layer_input": 512,
    "hidden_size": 128,
    "num_hidden_layers": 12,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "num_kv_shared_layers": 6,
    "intermediate_size": 256,
    "hidden_size_per_layer_input": 64,
    "layer_types": GEOMETRIES["gemma-4-e4b"]["layer_types"][:12],
}


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
    weights = weights_read(THIN).dense
    for one in CONTENDERS:
        path = made.path("thin-16", one)
        if path.is_dir():
            index = json.loads((path / "model.safetensors.index.json").read_text())
            size = index["metadata"]["total_size"]
        else:
            size = sum(tensor.n_bytes for tensor in gguf.GGUFReader(path).tensors)
        assert 8 * size / weights == pytest.approx(one.bits_per_weight, rel=0.02)


def test_experts_have_a_format_of_their_own(tmp_path: Path) -> None:
    """As many bytes on both sides, in each matrix."""
    config = SMALL_EXPERTS | {"quantization": quantization("mxfp4-q8", SMALL_EXPERTS)}
    sizes: dict[str, int] = {}
    for entry in fabricate.entries(config):
        module, _, part = entry[0].rpartition(".")
        if entry[1] != "BF16" or part in ("scales", "biases"):
            sizes[module] = sizes.get(module, 0) + fabricate.size(entry)
    gguf_file.write(tmp_path / "file.gguf", SMALL_EXPERTS, "MXFP4")
    matrices = [
        tensor
        for tensor in gguf.GGUFReader(tmp_path / "file.gguf").tensors
        if tensor.tensor_type != gguf.GGMLQuantizationType.F32
    ]
    assert len(matrices) == len(sizes)
    assert sorted(tensor.n_bytes for tensor in matrices) == sorted(sizes.values())
    for tensor in matrices:
        bits = 8 * tensor.n_bytes / tensor.n_elements
        assert bits == (4.25 if "_exps" in tensor.name else 8.5)


@pytest.mark.parametrize("kind", ["Q4_0", "Q4_1", "Q8_0", "MXFP4"])
def test_gguf_weights_keep_activations_of_order_one(tmp_path: Path, kind: str) -> None:
    config = SMALL_EXPERTS if kind == "MXFP4" else THIN
    gguf_file.write(tmp_path / "file.gguf", config, kind)
    reader = gguf.GGUFReader(tmp_path / "file.gguf")
    weights = (one for one in reader.tensors if one.name.endswith(".weight"))
    down = next(one for one in weights if one.name.startswith("blk.1.ffn_down"))
    assert down.tensor_type.name == kind
    values = gguf.dequantize(down.data, down.tensor_type)
    assert np.mean(values) == pytest.approx(0, abs=0.01)
    least, most = (0.5, 2.0) if kind == "MXFP4" else (0.9, 1.1)  # its scale is a power of two
    assert least < np.var(values) * values.shape[-1] < most
    assert len(reader.fields["tokenizer.ggml.tokens"].contents()) == config["vocab_size"]


@pytest.mark.parametrize(
    "name",
    [
        *("llama3", "qwen2", "qwen3", "qwen3moe", "gpt-oss-mxfp4", "gemma4"),
        *("lfm2", "qwen35", "granitehybrid-experts"),
    ],
)
def test_a_file_is_as_llama_cpp_writes_it(name: str) -> None:
    """All keys of the architecture, their types, and all tensors, as in the file that its script
    made of the same geometry."""
    case = BY_NAME[name]
    config = case.config | {"experts_as": "stacked", "convs_as": "converted"}
    theirs = gguf.GGUFReader(case.path)
    architecture = theirs.fields["general.architecture"].contents()
    writer = gguf.GGUFWriter(None, architecture)
    gguf_file.describe(writer, config)
    ours = writer.kv_data[0]
    for key, field in theirs.fields.items():
        if key.startswith(f"{architecture}."):
            expected = field.contents()
            exact = not isinstance(expected, float)
            assert ours[key].value == (expected if exact else pytest.approx(expected)), key
            assert ours[key].type == field.types[0], key
    shapes = {one.name: tuple(map(int, reversed(one.shape))) for one in theirs.tensors}
    factors = shapes.pop("rope_freqs.weight", None)
    assert gguf_file.tensors(config) == shapes
    if factors:
        made = ARCHITECTURES[config["model_type"]].rope_freqs
        assert made is not None
        written = next(one for one in theirs.tensors if one.name == "rope_freqs.weight")
        assert np.array_equal(np.array(made(config), np.float32), written.data)


def test_the_tokenizer_is_one(made: Checkpoints) -> None:
    path = made.path("thin-16", CONTENDERS[0]) / "tokenizer.json"
    tokenizer = tokenizers.Tokenizer.from_file(str(path))
    assert tokenizer.get_vocab_size() == 512
    assert tokenizer.decode(tokenizer.encode("abc, xyz").ids) == "abc, xyz"


def test_what_a_token_reads() -> None:
    assert weights_read(GEOMETRIES["llama-3.2-1b"]) == (1_235_746_816, 0)
    large = GEOMETRIES["llama-3.1-8b"]
    assert weights_read(large) == (8_029_995_008 - 128255 * 4096, 0)
    assert kv_read(large, 2) == kv_kept(large, 2) == 2 * 2 * 8 * 128 * 32


def test_of_experts_a_token_reads_those_it_goes_to() -> None:
    heads, kv, hidden, vocabulary = 64 * 64, 2 * 8 * 64, 2880, 201088
    layer = 2 * hidden * heads + hidden * kv + 32 * hidden
    dense = 8 * layer + (vocabulary + 1) * hidden
    assert weights_read(GEOMETRIES["gpt-oss-20b-8"]) == (dense, 8 * 4 * 3 * hidden * hidden)


@pytest.mark.parametrize(
    ("config", "kind", "bits"),
    [
        (SMALL_EXPERTS, "mxfp4-q8", (8.5, 4.25)),
        (SMALL_GEMMA, "affine-64", (4.5, 4.5)),
    ],
)
def test_the_engine_reads_as_much(
    tmp_path: Path, config: Config, kind: str, bits: tuple[float, float]
) -> None:
    """But for norms, biases and sinks, which are not counted."""
    folder = checkpoint(tmp_path / "made", config | {"quantization": quantization(kind, config)})
    read = weights_read(config)
    estimated = (read.dense * bits[0] + read.experts * bits[1]) / 8
    model = native().load(os.fsencode(folder))
    assert estimated < model.step_weight_bytes < 1.05 * estimated


def test_a_window_limits_what_a_token_reads() -> None:
    oss = GEOMETRIES["gpt-oss-20b-8"]
    assert kv_read(oss, 1000) == kv_kept(oss, 1000) == 2 * 8 * 64 * 4 * (128 + 1000)


def test_of_shared_keys_and_values_nothing_is_made_but_they_are_read() -> None:
    gemma = GEOMETRIES["gemma-4-e4b"]
    assert kv_kept(gemma, 100) == 2 * 2 * 100 * (20 * 256 + 4 * 512)
    assert kv_read(gemma, 100) == 2 * 2 * 100 * (35 * 256 + 7 * 512)
    hidden, inputs = 2560, 42 * 256
    feed_forward = 42 * 3 * hidden * 10240
    queries = 2 * hidden * 8 * (35 * 256 + 7 * 512)
    keys = 2 * hidden * 2 * (20 * 256 + 4 * 512)
    per_layer = inputs + inputs * hidden + 2 * inputs * hidden  # a row, its projection, two a layer
    dense = 262144 * hidden + feed_forward + queries + keys + per_layer
    assert weights_read(gemma) == (dense, 0)


def test_an_interrupted_checkpoint_is_made_again(tmp_path: Path) -> None:
    made = Checkpoints(tmp_path)
    (tmp_path / "thin-16-affine-64.part").mkdir()
    path = made.path("thin-16", CONTENDERS[0])
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
