"""GGUF files that llama.cpp's own script made of tiny folders, imported: logits and ids are those
of the folders, and config.json describes the same model."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import checkpoints
import convergio_mlx as cm
import llama_cpp_oracle
from convergio_mlx.convert.architectures import ARCHITECTURES
from convergio_mlx.convert.gguf import convert_gguf, inspect_gguf
from convergio_mlx.text.tokenizer import Tokenizer
from convert.llama_cpp_cases import BY_NAME, CASES, TOKENS, Case

LENGTH = 40
QUICK = ("llama", "llama3", "gemma")
FIELDS = (
    *(
        "model_type",
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "num_key_value_heads",
        "head_dim",
    ),
    *("intermediate_size", "vocab_size", "max_position_embeddings", "rms_norm_eps", "rope_theta"),
    *("partial_rotary_factor", "sliding_window", "layer_types", "tie_word_embeddings"),
    *("bos_token_id", "eos_token_id", "layer_norm_eps", "logit_scale", "rope_parameters"),
)

"""Fields that must be there."""
IN_OTHER_WORDS = ("quantization", "rope_scaling")
"""Fields that are said in more than one way; logits tell."""


@cache
def encoded() -> dict[str, dict[str, list[int]]]:
    found: dict[str, dict[str, list[int]]] = json.loads(TOKENS.read_text(encoding="utf-8"))
    return found


def logits(folder: Path, tokens: list[int]) -> np.ndarray[Any, Any]:
    with cm.Engine.load(folder) as engine:
        return np.asarray(engine.logits(tokens))


def test_every_architecture_has_a_file() -> None:
    assert {inspect_gguf(case.path).architecture for case in CASES} == set(ARCHITECTURES)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] * (name not in QUICK)) for name in BY_NAME],
)
def test_an_imported_file_is_the_folder_that_it_was_made_of(name: str, tmp_path: Path) -> None:
    case = BY_NAME[name]
    before = checkpoints.write(tmp_path / "before", case.config)
    convert_gguf(case.path, tmp_path / "after")
    tokens = checkpoints.tokens(case.config, LENGTH)
    wanted, found = logits(before, tokens), logits(tmp_path / "after", tokens)
    np.testing.assert_allclose(found, wanted, atol=case.tolerance * np.abs(wanted).max(), rtol=0)
    says_the_same(json.loads((tmp_path / "after" / "config.json").read_text()), case)
    own = encoded()[case.vocabulary]
    tokenizer = Tokenizer.from_folder(tmp_path / "after")
    assert {text: tokenizer.encode(text, add_special_tokens=False) for text in own} == own


NOT_MLX_LM = {
    "deepseek_v2": "its class wants keys and values of latent attention in one matrix",
    "phimoe": "its class wants LongRoPE's two magnitudes",
    "internlm3": "its class does not load heads that are wider than the hidden size has room for",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in BY_NAME if name not in NOT_MLX_LM])
def test_mlx_lm_loads_the_folder(name: str, tmp_path: Path) -> None:
    from model import mlx_lm_oracle

    case = BY_NAME[name]
    checkpoints.write(tmp_path / "before", case.config)
    convert_gguf(case.path, tmp_path / "after")
    tokens = checkpoints.tokens(case.config, LENGTH)
    wanted = mlx_lm_oracle.logits(tmp_path / "before", tokens)
    found = mlx_lm_oracle.logits(tmp_path / "after", tokens)
    np.testing.assert_allclose(found, wanted, atol=1e-5 * np.abs(wanted).max(), rtol=0)


def says_the_same(found: dict[str, Any], case: Case) -> None:
    wanted = {**case.config, **case.otherwise}
    fields = [
        key for key in wanted if key in FIELDS or (key in found and key not in IN_OTHER_WORDS)
    ]
    assert {key: found.get(key) for key in fields} == {key: wanted[key] for key in fields}


WITH_STATES = (
    *("lfm2", "lfm2_moe", "qwen35", "qwen35moe", "qwen3next"),
    *("granitehybrid", "granitehybrid-experts", "kimi_linear", "nemotron_h"),
)


@pytest.mark.slow
@pytest.mark.parametrize("name", WITH_STATES)
def test_llama_cpp_has_the_same_logits(name: str, tmp_path: Path) -> None:
    """Of layers with states, whose decays, heads and gates a file has in another way."""
    case = BY_NAME[name]
    tokens = checkpoints.tokens(case.config, LENGTH)
    wanted = llama_cpp_oracle.logits(case.path, tokens)
    convert_gguf(case.path, tmp_path / "after")
    found = logits(tmp_path / "after", tokens)
    np.testing.assert_allclose(found, wanted, atol=2e-3 * np.abs(wanted).max(), rtol=0)
