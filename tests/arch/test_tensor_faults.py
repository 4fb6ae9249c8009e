"""Tensors that do not fit a config.json: one error names every one of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import checkpoints
import convergio_mlx as cm
from arch.variants import rows, tiny
from checkpoints import Tensor
from convergio_mlx.errors import LoadError, ModelCorruptError, UnsupportedModelError

BEGIN = "[model] the checkpoint does not fit its config.json: "
END = "; download the model again or use a checkpoint whose config.json matches."
QUANTIZED: dict[str, Any] = {
    **tiny("llama"),
    "intermediate_size": 128,
    "quantization": {"group_size": 32, "bits": 4},
}
Content = dict[str, Tensor]


def faults(folder: Path, config: dict[str, Any], content: Content) -> str:
    """The faults that loading reports, without the sentence around them."""
    with pytest.raises(ModelCorruptError) as caught:
        # force: whatever memory this machine has, the reader of the tensors is what speaks
        cm.Engine.load(checkpoints.write(folder, config, content=content), force=True)
    sentence = str(caught.value)
    assert sentence.startswith(BEGIN)
    assert sentence.endswith(END)
    return sentence.removeprefix(BEGIN).removesuffix(END)


def empty(*shape: int, dtype: str = "F32") -> Tensor:
    kinds: dict[str, Any] = {"F32": np.float32, "U32": np.uint32, "U8": np.uint8, "F16": np.float16}
    return Tensor(dtype, np.zeros(shape, dtype=kinds[dtype]))


OPTIONAL = (
    ".bias",
    "q_norm",
    "k_norm",
    "query_layernorm",
    "key_layernorm",
    "q_layernorm",
    "k_layernorm",
    "self_attn.gate_proj",
    "self_attn.g_proj",
    "layer_scalar",
    "sinks",
    "e_score_correction_bias",
    "expert_bias",
)
"""What models may do without."""


@pytest.mark.slow
@pytest.mark.parametrize("row", rows())
def test_every_single_missing_tensor_is_named(row: str, tmp_path: Path) -> None:
    """Where a head is missing and the config does not say that it is tied, the embedding is it."""
    config = {**tiny(row), "attention_bias": True, "mlp_bias": True}
    if {"first_k_dense_replace", "moe_layer_start_index", "num_dense_layers"} & set(config):
        del config["mlp_bias"]  # of a bias in one layer alone no other layer tells
    if row == "kimi_linear":
        config["attention_bias"] = False  # its recurrences have projections of the same names
    if row == "granitemoehybrid":
        config["attention_bias"] = False  # one layer alone has attention
    if row == "nemotron_h":
        config["hybrid_override_pattern"] = "ME*-M-*E"  # two of each kind
    whole = checkpoints.tensors(config)
    for name in whole:
        content = {k: v for k, v in whole.items() if k != name}
        text = faults(tmp_path, config, content)
        others = any(part in name for part in OPTIONAL) and name != "lm_head.bias"
        assert text == f"'{name}' is missing" + (", which other layers have" if others else "")


@pytest.mark.parametrize(("row", "gate"), [("falcon_h1", "gate_proj"), ("nemotron", None)])
def test_gate_and_up_are_one_matrix_only_where_a_gate_is_as_it_is(
    row: str, gate: str | None, tmp_path: Path
) -> None:
    """A factor of the gate alone, or no gate: what one matrix of both would be is not known."""
    config = tiny(row)
    whole = checkpoints.tensors(config)
    block = "feed_forward" if row == "falcon_h1" else "mlp"
    content = {}
    for name, tensor in whole.items():
        if name.endswith(f"{block}.up_proj.weight"):
            both = np.concatenate([tensor.data, tensor.data])
            fused = name.replace(f"{block}.up_proj", "mlp.gate_up_proj")
            content[fused] = checkpoints.Tensor(tensor.dtype, both)
        elif not (gate and name.endswith(f"{block}.{gate}.weight")):
            content[name] = tensor
    assert "up_proj.weight' is missing" in faults(tmp_path, config, content)


def test_every_single_missing_tensor_of_a_quantized_checkpoint_is_named(tmp_path: Path) -> None:
    whole = checkpoints.tensors(QUANTIZED)
    for name in whole:
        content = {k: v for k, v in whole.items() if k != name}
        assert f"'{name}' is missing" in faults(tmp_path, QUANTIZED, content)


def test_all_are_named_at_once_and_layers_together(tmp_path: Path) -> None:
    content = checkpoints.tensors(tiny("llama"))
    del content["model.norm.weight"]
    for layer in (0, 1, 2):
        del content[f"model.layers.{layer}.mlp.up_proj.weight"]
    del content["model.layers.0.self_attn.o_proj.weight"]
    del content["model.layers.2.self_attn.o_proj.weight"]
    content["model.layers.1.self_attn.q_proj.weight"] = empty(64, 63)
    content["model.layers.1.input_layernorm.weight"] = empty(64, dtype="U32")
    content["model.layers.3.mlp.up_proj.weight"] = empty(96, 64)
    content["model.vision.weight"] = empty(1)
    content["odd\nname"] = empty(1)
    assert faults(tmp_path, tiny("llama"), content).split("; ") == [
        "'model.norm.weight' is missing",
        "'model.layers.{0,2}.self_attn.o_proj.weight' is missing",
        "'model.layers.{0-2}.mlp.up_proj.weight' is missing",
        "'model.layers.1.input_layernorm.weight' is U32, expected F32 or F16 or BF16",
        "'model.layers.1.self_attn.q_proj.weight' has shape (64, 63), expected (64, 64)",
        "'model.layers.3.mlp.up_proj.weight' is not part of a llama model",
        "'model.vision.weight' is not part of a llama model",
        "'odd\\nname' is not part of a llama model",
    ]


def changed(name: str, tensor: Tensor) -> Callable[[Content], None]:
    def change(content: Content) -> None:
        content[name] = tensor

    return change


O_PROJ = "model.layers.0.self_attn.o_proj"
MISSHAPEN: list[tuple[Callable[[Content], None], str]] = [
    (
        changed(f"{O_PROJ}.weight", empty(64, 7, dtype="U32")),
        f"'{O_PROJ}.weight' has shape (64, 7), expected (64, 8)",
    ),
    (
        changed(f"{O_PROJ}.weight", empty(64, 8)),
        f"'{O_PROJ}.weight' is F32, expected U32",
    ),
    (
        changed(f"{O_PROJ}.scales", empty(64, 4)),
        f"'{O_PROJ}.scales' has shape (64, 4), expected (64, 2)",
    ),
    (
        changed(f"{O_PROJ}.scales", empty(64, 2, dtype="U8")),
        f"'{O_PROJ}.scales' is U8, expected F32 or F16 or BF16",
    ),
    (
        changed(f"{O_PROJ}.biases", empty(2, 64)),
        f"'{O_PROJ}.biases' has shape (2, 64), expected (64, 2)",
    ),
    (
        changed(f"{O_PROJ}.bias", empty(65)),
        f"'model.layers.{{1-2}}.self_attn.o_proj.bias' is missing, which other layers have; "
        f"'{O_PROJ}.bias' has shape (65), expected (64)",
    ),
    (
        changed("model.norm.weight", empty(64, 1)),
        "'model.norm.weight' has shape (64, 1), expected (64)",
    ),
    (
        changed("model.norm.weight", empty()),
        "'model.norm.weight' has shape (), expected (64)",
    ),
    (
        changed("model.embed_tokens.weight", empty(0, 8, dtype="U32")),
        "'model.embed_tokens.weight' has shape (0, 8), expected (96, 8)",
    ),
]


@pytest.mark.parametrize(("change", "text"), MISSHAPEN, ids=range(len(MISSHAPEN)))
def test_misshapen(change: Callable[[Content], None], text: str, tmp_path: Path) -> None:
    content = checkpoints.tensors(QUANTIZED)
    change(content)
    assert sorted(faults(tmp_path, QUANTIZED, content).split("; ")) == sorted(text.split("; "))


def test_scales_without_a_quantization_block(tmp_path: Path) -> None:
    content = checkpoints.tensors(QUANTIZED)
    config = {k: v for k, v in QUANTIZED.items() if k != "quantization"}
    assert faults(tmp_path, config, content).startswith(
        "'model.embed_tokens.scales' is there but config.json's 'quantization' block is missing; "
    )


@pytest.mark.parametrize(
    ("override", "text"),
    [
        (False, f"'{O_PROJ}.scales' is there but config.json's 'quantization' block says it is not "
         "quantized"),
        ({"group_size": 32, "bits": 8},
         f"'{O_PROJ}.weight' has shape (64, 8), expected (64, 16)"),
        ({"group_size": 128, "bits": 4},
         f"'{O_PROJ}' has 64 columns, which groups of 128 don't divide"),
        ({"group_size": 32, "mode": "mxfp4"},
         f"'{O_PROJ}.scales' is F32, expected U8; '{O_PROJ}.biases' is not part of a llama model"),
    ],
    ids=["false", "bits", "groups", "mode"],
)  # fmt: skip
def test_overrides_that_the_file_contradicts(override: object, text: str, tmp_path: Path) -> None:
    config = {**QUANTIZED, "quantization": {**QUANTIZED["quantization"], O_PROJ: override}}
    assert faults(tmp_path, config, checkpoints.tensors(QUANTIZED)) == text


AFFINE = "supported: 2, 3, 4, 5, 6 or 8 bits with groups of 32, 64 or 128."
REFUSED: list[tuple[dict[str, Any], str]] = [
    (
        {"bits": 7},
        f"[config] config.json: affine quantization with 7 bits and groups of 64; {AFFINE}",
    ),
    (
        {"group_size": 48, "bits": 4},
        f"[config] config.json: affine quantization with 4 bits and groups of 48; {AFFINE}",
    ),
    (
        {"group_size": 64, "bits": 4, O_PROJ: {"bits": 9}},
        f"[config] config.json: affine quantization with 9 bits and groups of 64; {AFFINE}",
    ),
    (
        {"mode": "mxfp4", "bits": 8},
        "[config] config.json: mxfp4 quantization with 8 bits and groups of 32; supported: 4 bits "
        "with groups of 32.",
    ),
    (
        {"mode": "mxfp8", "group_size": 64},
        "[config] config.json: mxfp8 quantization with 8 bits and groups of 64; supported: 8 bits "
        "with groups of 32.",
    ),
    (
        {"mode": "nvfp4", "group_size": 32},
        "[config] config.json: nvfp4 quantization with 4 bits and groups of 32; supported: 4 bits "
        "with groups of 16.",
    ),
    (
        {"mode": "gguf"},
        "[config] config.json: the quantization mode is 'gguf'; supported modes: affine, mxfp4, "
        "mxfp8, nvfp4.",
    ),
    (
        {"bits": 0},
        "[config] config.json: 'quantization.bits' is the integer 0, which must be from 1 to 32; "
        "download the model again or correct the file.",
    ),
    (
        {O_PROJ: {"bits": "8"}},
        f"[json] config.json: 'quantization[\"{O_PROJ}\"].bits' must be an integer but is the "
        'string "8"; correct the file or download it again.',
    ),
]


@pytest.mark.parametrize(("block", "sentence"), REFUSED, ids=range(len(REFUSED)))
def test_a_matrix_stored_as_no_kernel_knows_says_what_the_block_says(
    block: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    content = checkpoints.tensors(QUANTIZED)
    content[f"{O_PROJ}.scales"] = empty(64, 3)
    folder = checkpoints.write(tmp_path, {**QUANTIZED, "quantization": block}, content=content)
    with pytest.raises(LoadError) as caught:
        cm.Engine.load(folder)
    assert str(caught.value) == sentence


def test_another_program_s_quantization(tmp_path: Path) -> None:
    content = checkpoints.tensors(tiny("llama"))
    content[f"{O_PROJ}.qweight"] = content.pop(f"{O_PROJ}.weight")
    config = {**tiny("llama"), "quantization_config": {"quant_method": "awq", "bits": 4}}
    with pytest.raises(UnsupportedModelError) as caught:
        cm.Engine.load(checkpoints.write(tmp_path, config, content=content))
    assert str(caught.value) == (
        "[config] config.json: 'quantization_config' has quant_method the string \"awq\", which is "
        "not MLX's format; use a checkpoint from mlx-community or convert it with mlx_lm.convert."
    )


def test_override_of_a_matrix_that_is_dense(tmp_path: Path) -> None:
    block = {**QUANTIZED["quantization"], O_PROJ: False}
    content = checkpoints.tensors({**QUANTIZED, "quantization": block})
    config = {**QUANTIZED, "quantization": {**block, O_PROJ: {"group_size": 32, "bits": 4}}}
    assert faults(tmp_path, config, content) == (
        f"'{O_PROJ}.weight' has shape (64, 64), expected (64, 8); '{O_PROJ}.weight' is F32, "
        f"expected U32; '{O_PROJ}.scales' is missing; '{O_PROJ}.biases' is missing"
    )


@pytest.mark.parametrize(
    "sizes",
    [
        {"vocab_size": 1 << 26},
        {"num_attention_heads": 1 << 14, "num_key_value_heads": 1 << 14, "head_dim": 1 << 14},
        {"hidden_size": 1 << 22, "intermediate_size": 1 << 22},
        {"num_hidden_layers": 4096},
    ],
    ids=["vocabulary", "heads", "width", "layers"],
)
def test_sizes_that_the_file_has_not_are_faults_and_no_allocation(
    sizes: dict[str, int], tmp_path: Path
) -> None:
    before = resident()
    text = faults(tmp_path, {**tiny("llama"), **sizes}, checkpoints.tensors(tiny("llama")))
    assert "expected (" in text or "is missing" in text
    assert len(text) < 3000
    assert resident() - before < 64 << 20


def resident() -> int:
    """The largest this process has been, in bytes."""
    import resource
    import sys

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def test_tied_head_is_not_needed_and_not_used(tmp_path: Path) -> None:
    """Some tied checkpoints hold the head too; mlx-lm drops it, and so do we."""
    config = {**tiny("llama"), "tie_word_embeddings": True}
    tokens = checkpoints.tokens(config, 5)
    logits = []
    for extra in ({}, {"lm_head.weight": empty(96, 64)}):
        content = {**checkpoints.tensors(config), **extra}
        folder = checkpoints.write(tmp_path / str(len(extra)), config, content=content)
        with cm.Engine.load(folder) as engine:
            logits.append(np.asarray(engine.logits(tokens)))
    np.testing.assert_array_equal(logits[0], logits[1])


@pytest.mark.parametrize("prefix", ["", "language_model."])
def test_text_models_cut_out_of_larger_ones_keep_a_prefix(prefix: str, tmp_path: Path) -> None:
    config = tiny("llama")
    tokens = checkpoints.tokens(config, 5)
    content = checkpoints.tensors(config)
    renamed = {
        prefix + (name if prefix else name.removeprefix("model.")): value
        for name, value in content.items()
    }
    logits = []
    for name, tensors in (("plain", content), ("renamed", renamed)):
        with cm.Engine.load(checkpoints.write(tmp_path / name, config, content=tensors)) as engine:
            logits.append(np.asarray(engine.logits(tokens)))
    np.testing.assert_array_equal(logits[0], logits[1])


def test_precomputed_rotary_frequencies_are_ignored(tmp_path: Path) -> None:
    content = checkpoints.tensors(tiny("llama"))
    content["model.layers.0.self_attn.rotary_emb.inv_freq"] = empty(8)
    cm.Engine.load(checkpoints.write(tmp_path, tiny("llama"), content=content)).close()
