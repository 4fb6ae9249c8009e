"""Mamba-2 alone and beside attention (Falcon H1), and OLMo Hybrid: sizes as published, factors of
the parts of a layer as published and once converted, and what no model can have."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import checkpoints
import convergio_mlx as cm
from arch.variants import tiny
from convergio_mlx.errors import ModelCorruptError, UnsupportedModelError
from convergio_mlx.platform.native import native
from model.exact_process import engine_logits

CONFIG = Path(os.environ.get("CONVERGIO_TEST_DATA", "/nonexistent")) / "configs/falcon-h1-0.5b.json"
AGAIN = "; download the model again or correct the file."
FACTORS: dict[str, Any] = {"key_multiplier": 0.4, "attention_in_multiplier": 1.5}


def geometry(config: dict[str, Any]) -> Any:
    return native().geometry(json.dumps(config).encode())


@pytest.mark.skipif(not CONFIG.exists(), reason="needs CONVERGIO_TEST_DATA")
def test_falcon_h1_as_it_is_published() -> None:
    """Each layer keeps keys and values, and a state beside them."""
    found = geometry(json.loads(CONFIG.read_text()))
    assert found.model_type == "falcon_h1"
    assert found.state_numbers == 36 * (1536 * 128 + 3 * (1536 + 2 * 128))
    assert found.kv_numbers_of_layers == [2 * 2 * 64] * 36
    assert found.rotary_of_layers == [0] * 36
    assert found.rotary(0, 1)[0][1] == pytest.approx(1e11 ** (1 / 32))
    assert found.embedding_multiplier == pytest.approx(5.656854249492381)
    assert found.logits_divisor == pytest.approx(1 / 0.0390625)
    attention = 1024 * 64 * (2 * 8 + 2 * 2)
    scan = 1024 * (1536 + 2 * 128 + 2 * 1536 + 24)
    assert found.mixer_parameters == 36 * (attention + scan)


def test_falcon_h1_by_its_model_type_alone() -> None:
    found = geometry({"model_type": "falcon_h1"})
    assert found.state_numbers == 32 * (1024 * 256 + 3 * (1024 + 2 * 256))
    assert found.kv_numbers_of_layers == [2 * 8 * 128] * 32
    assert (found.intermediate_size, found.context_window) == (14336, 8192)
    assert (found.embedding_multiplier, found.logits_divisor) == (1, 1)


def test_mamba_2_by_its_model_type_alone() -> None:
    """No layer attends or feeds, and nothing bounds the context."""
    found = geometry({"model_type": "mamba2"})
    assert found.state_numbers == 64 * (8192 * 128 + 3 * (8192 + 2 * 8 * 128))
    assert set(found.kv_numbers_of_layers) == {0}
    assert {inner for _, _, inner in found.widths_of_layers} == {0}
    assert found.context_window == 1 << 28


def test_olmo_hybrid_by_its_model_type_alone() -> None:
    """Sizes of recurrences follow from those of attention; each fourth layer attends."""
    found = geometry({"model_type": "olmo_hybrid"})
    keys, values = 30 * 96, 30 * 192
    assert found.state_numbers == 24 * (30 * 96 * 192 + 3 * (2 * keys + values))
    attending = [i for i, kept in enumerate(found.kv_numbers_of_layers) if kept]
    assert attending == list(range(3, 32, 4))
    few = geometry({"model_type": "olmo_hybrid", "num_hidden_layers": 2})
    assert [kept > 0 for kept in few.kv_numbers_of_layers] == [False, True]


def folded(name: str, value: np.ndarray[Any, Any], config: dict[str, Any]) -> np.ndarray[Any, Any]:
    """A tensor as mlx-lm's conversion makes it: all factors but that of keys, and but that of what
    values are made of."""
    values = config["mamba_d_ssm"]
    keys = config["mamba_n_groups"] * config["mamba_d_state"]
    widths = [values, values, keys, keys, config["mamba_n_heads"]]
    scan = np.repeat(np.array(config["ssm_multipliers"], np.float32), widths)[:, None]
    attention = config["attention_in_multiplier"]
    factors: dict[str, Any] = {
        "embed_tokens": config["embedding_multiplier"],
        "lm_head": config["lm_head_multiplier"],
        "q_proj": attention,
        "k_proj": attention,
        "o_proj": config["attention_out_multiplier"],
        "out_proj": config["ssm_out_multiplier"],
        "gate_proj": config["mlp_multipliers"][0],
        "down_proj": config["mlp_multipliers"][1],
        "in_proj": config["ssm_in_multiplier"] * scan,
    }
    if name.endswith("conv1d.weight"):
        return value.swapaxes(1, 2)
    part = name.removesuffix(".weight").rpartition(".")[2]
    made: np.ndarray[Any, Any] = (value * factors.get(part, 1.0)).astype(np.float32)
    return made


@pytest.mark.parametrize("tied", [False, True])
def test_a_converted_falcon_h1_gives_the_published_logits(tied: bool, tmp_path: Path) -> None:
    """Also of the factors that mlx-lm forgets."""
    config = {**tiny("falcon_h1"), **FACTORS, "tie_word_embeddings": tied}
    content = checkpoints.tensors(config)
    tokens = checkpoints.tokens(config, 20)

    def logits(name: str, content: dict[str, checkpoints.Tensor]) -> np.ndarray[Any, Any]:
        folder = checkpoints.write(tmp_path / name, config, content=content)
        return engine_logits(folder, tuple(tokens))[0]

    converted = {
        name: checkpoints.Tensor(tensor.dtype, folded(name, tensor.data, config))
        for name, tensor in content.items()
    }
    published = logits("published", content)
    np.testing.assert_allclose(logits("converted", converted), published, rtol=0, atol=2e-5)


def test_biases_of_a_converted_falcon_h1_are_refused(tmp_path: Path) -> None:
    config = {**tiny("falcon_h1"), "mlp_bias": True, "convs_as": "converted"}
    with pytest.raises(UnsupportedModelError) as caught:
        cm.Engine.load(checkpoints.write(tmp_path, config))
    assert str(caught.value) == (
        "[model] 'model.layers.0.feed_forward.gate_proj.bias' is in a converted checkpoint whose "
        "matrices have been multiplied and whose biases have not; use the checkpoint as it was "
        "published."
    )


@pytest.mark.parametrize(
    ("row", "changes", "sentence"),
    [
        (
            "falcon_h1",
            {"ssm_multipliers": [1, 2]},
            "'ssm_multipliers' is an array, which must be 5 numbers",
        ),
        (
            "falcon_h1",
            {"mlp_multipliers": [0.5, 0]},
            "'mlp_multipliers[1]' is the integer 0, which must be from 1e-6 to 1e6",
        ),
        (
            "falcon_h1",
            {"key_multiplier": -1},
            "'key_multiplier' is the integer -1, which must be from 1e-6 to 1e6",
        ),
        (
            "falcon_h1",
            {"mamba_d_ssm": 97},
            "'mamba_d_ssm' is the integer 97, which must be 96, 'mamba_n_heads' times "
            "'mamba_d_head'",
        ),
        (
            "falcon_h1",
            {"mamba_d_head": "auto", "mamba_d_ssm": 100},
            "'mamba_n_heads' is 6, which must divide 100, 'mamba_d_ssm', into at most 16384",
        ),
        (
            "mamba2",
            {"num_heads": 7, "n_groups": 2},
            "'num_heads' is 7, which must be a multiple of 'n_groups', 2",
        ),
        (
            "olmo_hybrid",
            {"linear_num_value_heads": 5},
            "'linear_num_value_heads' is 5, which must be a multiple of 'linear_num_key_heads', 2",
        ),
    ],
    ids=range(7),
)
def test_values_that_no_model_can_have(row: str, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ModelCorruptError) as caught:
        geometry({**tiny(row), **changes})
    assert str(caught.value) == f"[config] config.json: {sentence}{AGAIN}"
