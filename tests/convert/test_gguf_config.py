"""What a GGUF file says of a model, and what it leaves out, is what config.json says."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import checkpoints
import convergio_mlx as cm
from arch.variants import tiny
from convergio_mlx.convert.architectures import ARCHITECTURES
from convergio_mlx.convert.gguf import convert_gguf, inspect_gguf
from convergio_mlx.convert.gguf_architecture import Architecture
from convergio_mlx.platform.native import native
from convert import gguf_files
from convert.golden_files import Tensors, contents, rewritten
from convert.llama_cpp_cases import BY_NAME

LENGTH = 40


def logits(folder: Path, config: dict[str, Any]) -> np.ndarray[Any, Any]:
    with cm.Engine.load(folder) as engine:
        return np.asarray(engine.logits(checkpoints.tokens(config, LENGTH)))


ROWS = {
    row.model_type: row
    for one in ARCHITECTURES.values()
    for row in (one, *(row for _, _, row in one.variants))
    if not row.full_layers_differ  # their two embeddings are written whatever they are
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_no_scaling_is_written_as_the_model_type_has_it(row: Architecture) -> None:
    """A class may scale its rotary embedding where config.json says nothing; then it must."""
    config = {**tiny(row.model_type), "rope_scaling": None}
    config.pop("rope_parameters", None)

    def read(scaling: Any) -> Any:
        text = json.dumps({**config, "rope_scaling": scaling}).encode()
        return native().geometry(text).rotary(0, 1)

    assert (read(None) != read({"rope_type": "default"})) == row.scaled_by_default


_YARN = ("type", "factor", "original_context_length", "yarn_beta_fast", "yarn_beta_slow")


@pytest.mark.parametrize("name", ["gpt-oss", "apertus", "ministral3"])
def test_a_file_without_scaling_is_not_scaled_by_its_class(name: str, tmp_path: Path) -> None:
    config = BY_NAME[name].config
    architecture, keys, tensors = contents(name)
    tensors.pop("rope_freqs.weight", None)
    for key in (*_YARN, "yarn_log_multiplier"):
        keys.pop(f"{architecture}.rope.scaling.{key}", None)
    path = gguf_files.write(tmp_path / "m.gguf", architecture, keys, tensors)
    convert_gguf(path, tmp_path / "after")
    plain = {"rope_type": "default"}
    if "rope_parameters" in config:
        beta = config["rope_parameters"]["llama_4_scaling_beta"]
        plain |= {"rope_theta": 10000.0, "llama_4_scaling_beta": beta}
        config = {**config, "rope_parameters": plain}
    before = checkpoints.write(tmp_path / "before", {**config, "rope_scaling": plain})
    np.testing.assert_array_equal(logits(tmp_path / "after", config), logits(before, config))


def test_older_files_of_gemma_2_have_a_window(tmp_path: Path) -> None:
    path = rewritten(tmp_path / "m.gguf", "gemma2", attention__sliding_window=None)
    assert inspect_gguf(path).config["sliding_window"] == 4096


def test_a_pattern_of_sliding_layers_may_be_a_number(tmp_path: Path) -> None:
    path = rewritten(tmp_path / "m.gguf", "gemma3", attention__sliding_window_pattern=2)
    convert_gguf(path, tmp_path / "after")
    config = {**BY_NAME["gemma3"].config, "sliding_window_pattern": 2}
    before = checkpoints.write(tmp_path / "before", config)
    wanted = logits(before, config)
    found = logits(tmp_path / "after", config)
    np.testing.assert_allclose(found, wanted, atol=2e-6 * np.abs(wanted).max(), rtol=0)


@pytest.mark.parametrize("key", ["rope__scaling__factor", "rope__scale_linear"])
def test_a_factor_alone_is_linear(key: str, tmp_path: Path) -> None:
    """Files of 2023 have no type of scaling, and some have an older name of the factor."""
    found = inspect_gguf(rewritten(tmp_path / "m.gguf", "llama", **{key: 4.0})).config
    assert found["rope_scaling"] == {"rope_type": "linear", "factor": 4.0}


def test_mistral_s_models_without_a_temperature(tmp_path: Path) -> None:
    """Mistral Small 3 is written under the name that Ministral 3 has."""
    _, keys, tensors = contents("mistral")
    renamed = {key.replace("llama.", "mistral3."): value for key, value in keys.items()}
    path = gguf_files.write(tmp_path / "m.gguf", "mistral3", renamed, tensors)
    convert_gguf(path, tmp_path / "after")
    config = BY_NAME["mistral"].config
    before = checkpoints.write(tmp_path / "before", config)
    np.testing.assert_array_equal(logits(tmp_path / "after", config), logits(before, config))
    assert json.loads((tmp_path / "after" / "config.json").read_text())["model_type"] == "mistral"


def test_a_norm_for_each_head(tmp_path: Path) -> None:
    """Older versions of the script wrote them, for StableLM 2 12B."""
    config = {**BY_NAME["stablelm-parallel"].config, "qk_layernorm": True}
    weights = checkpoints.weights(config)
    _, keys, tensors = contents("stablelm-parallel")
    for layer in range(config["num_hidden_layers"]):
        for part, heads in (("q", 2), ("k", 1)):
            norms = f"model.layers.{layer}.self_attn.{part}_layernorm.norms"
            rows = [weights[f"{norms}.{head}.weight"] for head in range(heads)]
            tensors[f"blk.{layer}.attn_{part}_norm.weight"] = np.stack(rows)
    path = gguf_files.write(tmp_path / "m.gguf", "stablelm", keys, tensors)
    convert_gguf(path, tmp_path / "after")
    before = checkpoints.write(tmp_path / "before", config)
    np.testing.assert_array_equal(logits(tmp_path / "after", config), logits(before, config))


@pytest.mark.parametrize(
    ("case", "changes", "said"),
    [
        ("qwen3moe", {"expert_gating_func": 2}, "_gating_func' is 2, which must be 1 in a qwen3_"),
        ("qwen3moe", {"expert_used_count": None}, "expert_used_count' is missing, which must be"),
        ("deepseek_v2", {"expert_weights_norm": True}, "_weights_norm' is True, which must be Fal"),
        ("deepseek_v3", {"expert_gating_func": 1}, "_gating_func' is 1, which must be 2 in a deep"),
        ("deepseek_v2", {"rope__dimension_count": None}, "dimension_count' is missing, which must"),
        ("deepseek_v2", {"rope__dimension_count": "8"}, "dimension_count' is '8', which must be a"),
        ("deepseek_v2", {"rope__dimension_count": [8, 8]}, "_count' is [8, 8], which must be a nu"),
        (
            "glm4",
            {"rope__dimension_sections": [2, 1, 1, 0]},
            "_sections' is [2, 1, 1, 0], which must",
        ),
        ("gpt-oss", {"rope__scaling__yarn_ext_factor": 0.5}, "yarn_ext_factor' is 0.5, which must"),
        ("gpt-oss", {"rope__scaling__yarn_log_multiplier": 1.0}, "has a multiplier of the log"),
        ("hunyuan", {"rope__scaling__alpha": 50.0}, "scaling.alpha' is 50.0, which must be 0"),
        ("cohere2", {"rope__freq_base_swa": 5.0}, "base_swa' is 5.0, which must be 10000, that of"),
        ("granite", {"attention__scale": None}, "attention.scale' is missing, which must be a num"),
        (
            "lfm2",
            {"attention__head_count_kv": [0, 1, 0, 2]},
            "_kv' is [1, 2], which must be one",
        ),
        ("lfm2", {"attention__head_count_kv": [0, 1]}, "is [0, 1], which must be one for each of"),
        ("lfm2", {"shortconv__l_cache": None}, "l_cache' is missing, which must be a number abov"),
        ("lfm2_moe", {"expert_gating_func": 1}, "func' is 1, which must be 2 in a lfm2_moe model"),
        ("qwen35", {"ssm__group_count": None}, "group_count' is missing, which must be a number"),
        (
            "qwen35",
            {"ssm__inner_size": 25},
            "inner_size' is 25, which must be a multiple of 'qwen3",
        ),
        (
            "qwen35",
            {"attention__recurrent_layers": [True, False, False, True]},
            "is [True, False, False, True], which must be all but each n-th layer",
        ),
        ("qwen35", {"rope__dimension_sections": [1, 2]}, "is [1, 2], which must be three counts"),
        ("nemotron_h", {"moe_latent_size": 8}, "moe_latent_size' is 8, which must be missing in a"),
        ("nemotron_h", {"rope__scaling__finetuned": True}, "is True, which must be False in a nem"),
        ("nemotron_h", {"feed_forward_length": [0, 12]}, "is [0, 12], which must be one for each"),
        ("kimi_linear", {"kda__head_dim": None}, "kda.head_dim' is missing, which must be a count"),
        ("kimi_linear", {"expert_gating_func": 1}, "func' is 1, which must be 2 in a kimi_linear"),
        ("granitehybrid", {"expert_gating_func": 2}, "func' is 2, which must be 1 in a granitemo"),
        ("apertus", {"block_count": 3}, "key 'xielu.eps' is no list of 3 numbers"),
        ("gemma4", {"attention__sliding_window_pattern": [True] * 6}, "0 of its 6 layers have no"),
        ("gemma4", {"feed_forward_length": ["20"] * 6}, "which must be one for each of 6 layers"),
        ("gemma4", {"rope__dimension_count_swa": 8}, "_count_swa' is 8, which must be 16, all of"),
        ("gemma4", {"rope__scaling__type": "yarn"}, "its rotary embedding is scaled"),
        ("gemma4", {"rope__scaling__factor": 2.0}, "its rotary embedding is scaled"),
        ("gemma4", {"block_count": 2147483647}, "must be one for each of 4096 layers"),
        (
            "qwen35",
            {
                "block_count": 1,
                "nextn_predict_layers": 2,
                "attention__recurrent_layers": [True] * 3,
            },
            "nextn_predict_layers' is 2, which must be fewer than the layers",
        ),
        (
            "nemotron_h",
            {
                "block_count": 1,
                "nextn_predict_layers": 2,
                "attention__head_count_kv": [0, 2, 0],
                "feed_forward_length": 12,
            },
            "nextn_predict_layers' is 2, which must be fewer than the layers",
        ),
        (
            "nemotron_h",
            {
                "block_count": 5000,
                "attention__head_count_kv": [2] * 5000,
                "feed_forward_length": 12,
            },
            "",
        ),
    ],
)
def test_what_the_model_type_does_not_compute_is_refused(
    case: str, changes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    found = inspect_gguf(rewritten(tmp_path / "m.gguf", case, **changes))
    assert any(said in refusal for refusal in found.refusals), found.refusals


def same_as(name: str, tmp_path: Path, keys: dict[str, Any], tensors: Tensors) -> float:
    """How far the logits of a file are from those of the file that llama.cpp's script made."""
    architecture, known, _ = contents(name)
    merged = {key: value for key, value in {**known, **keys}.items() if value is not None}
    path = gguf_files.write(tmp_path / "m.gguf", architecture, merged, tensors)
    convert_gguf(path, tmp_path / "after")
    convert_gguf(BY_NAME[name].path, tmp_path / "before")
    config = BY_NAME[name].config
    wanted = logits(tmp_path / "before", config)
    apart: float = np.abs(logits(tmp_path / "after", config) - wanted).max() / np.abs(wanted).max()
    return apart


def test_layers_that_draft_are_left_out(tmp_path: Path) -> None:
    _, keys, tensors = contents("glm4_moe")
    layers = keys["glm4moe.block_count"]
    more = {f"blk.{layers - 1}.{name}.weight": np.ones((4, 4)) for name in ("nextn.eh_proj", "a")}
    assert same_as("glm4_moe", tmp_path, {}, {**tensors, **more}) == 0


def test_matrices_of_two_make_a_matrix_each(tmp_path: Path) -> None:
    """Gate and up of all experts in one tensor, of blocks."""
    _, _, tensors = contents("gpt-oss-mxfp4")
    fused: Tensors = {}
    for name, value in tensors.items():
        if name.endswith("ffn_gate_exps.weight"):
            up = tensors[name.replace("gate", "up")][0]
            both = np.concatenate([value[0], up], axis=1)
            fused[name.replace("gate", "gate_up")] = (both, value[1])
        elif not name.endswith("ffn_up_exps.weight"):
            fused[name] = value
    assert same_as("gpt-oss-mxfp4", tmp_path, {}, fused) == 0


@pytest.mark.parametrize("part", ["bias", "scale"])
def test_of_matrices_of_two_a_vector_is_unknown(part: str, tmp_path: Path) -> None:
    architecture, keys, tensors = contents("qwen3moe")
    name = f"blk.0.ffn_gate_up_exps.{part}"
    path = gguf_files.write(
        tmp_path / "m.gguf", architecture, keys, {**tensors, name: np.ones(8, np.float32)}
    )
    assert any(name in refusal for refusal in inspect_gguf(path).refusals)


@pytest.mark.parametrize(
    ("case", "name", "shape"),
    [
        ("qwen35", "blk.0.ssm_ba.weight", (1 << 20, 1)),
        ("qwen3moe", "blk.0.ffn_gate_up_exps.weight", (1 << 19, 2, 1)),
    ],
)
def test_more_heads_or_experts_than_there_are_take_no_memory(
    case: str, name: str, shape: tuple[int, ...], tmp_path: Path
) -> None:
    architecture, keys, tensors = contents(case)
    if "ssm_ba" in name:
        keys[f"{architecture}.ssm.group_count"] = 1 << 30
    more = {**tensors, name: np.ones(shape, np.float32)}
    path = gguf_files.write(tmp_path / "m.gguf", architecture, keys, more)
    tracemalloc.start()
    try:
        assert inspect_gguf(path).refusals
        assert tracemalloc.get_traced_memory()[1] < 30e6  # 2^19 pairs take more
    finally:
        tracemalloc.stop()


def test_older_files_of_latent_attention(tmp_path: Path) -> None:
    """They have keys and values of all heads in one matrix, and the sizes of those heads."""
    _, keys, tensors = contents("deepseek_v3")
    older = {name: value for name, value in tensors.items() if not name.endswith("_b.weight")}
    older |= {name: tensors[name] for name in tensors if name.endswith("attn_q_b.weight")}
    for name, value in tensors.items():
        if name.endswith("attn_k_b.weight"):
            values = tensors[name.replace("_k_b", "_v_b")]
            both = np.concatenate([value.swapaxes(1, 2), values], axis=1)
            older[name.replace("_k_b", "_kv_b")] = both.reshape(-1, both.shape[2])
    lengths = {}
    for part in ("key", "value"):
        name = f"deepseek2.attention.{part}_length"
        lengths |= {name: keys[f"{name}_mla"], f"{name}_mla": None}
    assert same_as("deepseek_v3", tmp_path, lengths, older) < 2e-6


def test_a_convolution_of_blocks_is_refused(tmp_path: Path) -> None:
    architecture, keys, tensors = contents("lfm2")
    name = "blk.0.shortconv.conv.weight"
    wide = np.ones((len(tensors[name]), 32), np.float32)
    blocks = gguf_files.quantized({name: wide}, [gguf_files.Kind.Q8_0])
    path = gguf_files.write(tmp_path / "m.gguf", architecture, keys, {**tensors, **blocks})
    assert f"tensor '{name}' is of kind Q8_0, and is no matrix" in inspect_gguf(path).refusals


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("deepseek_v3", "attn_k_b"),
        ("gemma4", "per_layer_token_embd"),
        ("gpt-oss-mxfp4", "attn_q"),
    ],
)
def test_any_matrix_may_be_of_blocks(name: str, base: str, tmp_path: Path) -> None:
    """Stacks of heads, the embedding of each layer, and what stands beside experts in MXFP4."""
    architecture, keys, tensors = contents(name)
    matrices = {
        key: value
        for key, value in tensors.items()
        if f".{base}.weight" in f".{key}" and not isinstance(value, tuple)
    }
    blocks = gguf_files.quantized(matrices, [gguf_files.Kind.Q8_0])
    floats = {
        key: gguf_files.rounded(value, gguf_files.Kind.Q8_0) for key, value in matrices.items()
    }
    assert all(isinstance(value, tuple) for value in blocks.values())
    found = []
    for number, changed in enumerate((blocks, floats)):
        path = tmp_path / f"{number}.gguf"
        gguf_files.write(path, architecture, keys, {**tensors, **changed})
        convert_gguf(path, tmp_path / str(number))
        found.append(logits(tmp_path / str(number), BY_NAME[name].config))
    np.testing.assert_allclose(*found, atol=1e-3 * np.abs(found[1]).max(), rtol=0)
