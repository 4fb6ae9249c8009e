"""Quantizing a folder: mlx-lm's bytes, mlx-lm's config.json, and nothing lost on the way."""

from __future__ import annotations

import json
import os
import random
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

import checkpoints
from arch.test_wrappers import SPELLINGS
from arch.variants import GEMMA4_EXPERTS, rows, tiny
from convergio_mlx.convert import quantize_plan, quantizing
from convergio_mlx.convert.modules import targets
from convergio_mlx.convert.new_folder import new_folder
from convergio_mlx.convert.quantize_plan import plan_quantize
from convergio_mlx.convert.quantizing import write_quantized
from convergio_mlx.convert.recipes import RECIPES, Matrix, quantize_options, settings_of
from convergio_mlx.convert.shards import shards_of
from convergio_mlx.convert.tensor_formats import tensor_formats
from convergio_mlx.engine.engine import Engine
from convergio_mlx.errors import (
    InvalidRequestError,
    ModelCorruptError,
    StorageError,
    UnsupportedModelError,
)
from convergio_mlx.platform.native import native
from convert.mlx_lm_convert import converted
from exhaustive import EXHAUSTIVE
from model import mlx_lm_oracle
from model.quantizations import BASE

FORMATS: list[dict[str, Any]] = [
    *({"bits": bits, "group_size": size} for bits in (2, 3, 4, 5, 6, 8) for size in (32, 64, 128)),
    *({"mode": mode} for mode in ("mxfp4", "mxfp8", "nvfp4")),
    *({"recipe": recipe} for recipe in RECIPES),
]
INNER = {"gemma3": tiny("gemma3_text"), "qwen3_vl": tiny("qwen3"), "mistral3": tiny("mistral")}
LAYERS = {**BASE, "num_hidden_layers": 9, "hidden_size": 64, "intermediate_size": 128}
"""As many layers as it takes for a recipe's eighths and thirds to differ."""
SOURCES = [
    (LAYERS, "BF16"),
    ({**LAYERS, "torch_dtype": "bfloat16"}, "F32"),
    ({**LAYERS, "model_type": "phi3", "attention_bias": False}, "F16"),
    ({**tiny("granite"), "hidden_size": 128, "intermediate_size": 128}, "BF16"),
    ({**LAYERS, "tie_word_embeddings": True, "torch_dtype": "float16"}, "BF16"),
    ({**tiny("gemma3_text"), "hidden_size": 128}, "BF16"),
    ({**tiny("olmo3"), "intermediate_size": 128}, "F32"),
]


def made(source: Path, folder: Path, **options: Any) -> Path:
    plan = plan_quantize(source, quantize_options(**options))
    with new_folder(folder) as create:
        write_quantized(plan, create)
    return folder


def tensors(folder: Path) -> dict[str, mx.array]:
    found: dict[str, mx.array] = {}
    for path in folder.glob("model*.safetensors"):
        found |= mx.load(str(path))  # type: ignore[arg-type]
    return found


def spelled(config: dict[str, Any], prefix: str, head: str) -> dict[str, checkpoints.Tensor]:
    """A checkpoint's tensors by names of another spelling."""
    return {
        name.replace("lm_head", head) if "lm_head" in name else prefix + name[len("model.") :]: one
        for name, one in checkpoints.tensors(config).items()
    }


def wide(config: dict[str, Any]) -> dict[str, Any]:
    """With widths that groups of 64 divide."""
    return {
        key: 64 * -(-value // 64) if key.endswith(("hidden_size", "intermediate_size")) else value
        for key, value in config.items()
    }


def cases() -> list[tuple[int, dict[str, Any]]]:
    every = [(source, options) for options in FORMATS for source in range(len(SOURCES))]
    return every if EXHAUSTIVE else random.Random(3).sample(every, 12)


@pytest.mark.parametrize(("source", "options"), cases(), ids=str)
def test_the_bytes_are_those_of_mlx_lm(
    source: int, options: dict[str, Any], tmp_path: Path
) -> None:
    config, dtype = SOURCES[source]
    folder = checkpoints.write(tmp_path / "source", config, dtype)
    ours = made(folder, tmp_path / "made", **options)
    theirs, their_config = converted(folder, **options)
    found = tensors(ours)
    assert found.keys() == theirs.keys()
    for name, value in found.items():
        assert (value.dtype, value.shape) == (theirs[name].dtype, theirs[name].shape), name
        assert mx.array_equal(value.view(mx.uint8), theirs[name].view(mx.uint8)), name
    assert json.loads((ours / "config.json").read_text()) == their_config


EXPERTS = {
    "mixtral": {"bits": 4, "group_size": 32},
    "qwen2_moe": {"mode": "mxfp4"},
    "qwen3_moe": {"bits": 3, "group_size": 32},
    "olmoe": {"recipe": "mixed_3_6", "group_size": 32},
    "granitemoe": {"mode": "nvfp4"},
    "glm4_moe": {"bits": 4, "group_size": 32},
    "deepseek_v2": {"bits": 4, "group_size": 32},
    "minimax_m2": {"recipe": "mixed_4_6", "group_size": 32},
    "gemma4_text": {"bits": 4, "group_size": 32},
    "gpt_oss": {"mode": "mxfp4"},
    "phimoe": {"bits": 4, "group_size": 32},
    "ernie4_5_moe": {"bits": 4, "group_size": 32},
    "nemotron_h": {"bits": 4, "group_size": 32},
}


CHANGES: dict[str, dict[str, Any]] = {
    "gemma4_text": GEMMA4_EXPERTS,
    # without recurrences, whose vectors mlx-lm rounds
    "nemotron_h": {"hybrid_override_pattern": "E*-E"},
}


LOST = "moe_statics.e_score_correction_bias"
"""What mlx-lm drops, and the choice of experts depends on."""


@pytest.mark.parametrize("kind", EXPERTS)
def test_experts_are_stacked_as_in_mlx_lm(kind: str, tmp_path: Path) -> None:
    config = {**wide({**tiny(kind), **CHANGES.get(kind, {})}), "torch_dtype": "bfloat16"}
    source = checkpoints.write(tmp_path / "source", config, "F32")
    ours = made(source, tmp_path / "made", **EXPERTS[kind])
    theirs, their_config = converted(source, **EXPERTS[kind])
    found = tensors(ours)
    lost = [name for name in found if name.endswith(LOST)]
    assert bool(lost) == (kind == "ernie4_5_moe")
    found = {name: value for name, value in found.items() if name not in lost}
    assert found.keys() == theirs.keys()
    for name, value in found.items():
        assert value.shape == theirs[name].shape, name
        assert mx.array_equal(value.view(mx.uint8), theirs[name].view(mx.uint8)), name
    assert json.loads((ours / "config.json").read_text()) == their_config
    with Engine.load(ours) as engine:
        assert np.isfinite(np.asarray(engine.logits([1, 2, 3]))).all()


ROUTED = {
    "qwen3_next": {"bits": 4, "group_size": 32},
    "qwen3_5_moe": {"mode": "mxfp4"},
    "kimi_linear": {"bits": 4, "group_size": 32},
    "lfm2_moe": {"bits": 4, "group_size": 64},
    "laguna": {"bits": 4, "group_size": 32},
    "granitemoehybrid": {"bits": 3, "group_size": 32},
}
"""Families whose files mlx-lm rearranges when it loads them, and ours keep as published."""


WRAPPED = ("qwen3_5", "qwen3_5_moe", "qwen3_vl")
"""Rows that are published inside a wrapper of the same name alone."""


def written(folder: Path, row: str, config: dict[str, Any], **beside: Any) -> Path:
    """A source as it is published."""
    if row not in WRAPPED:
        return checkpoints.write(folder, config)
    size = config["vocab_size"]  # where mlx-lm looks for it
    wrapper = {"model_type": row, "text_config": config, "vocab_size": size, "vision_config": {}}
    content = spelled(config, *SPELLINGS["transformers"])
    return checkpoints.write(folder, {**wrapper, **beside}, content=content)


@pytest.mark.parametrize("kind", ROUTED)
def test_routers_have_the_bits_that_mlx_lm_gives_them(kind: str, tmp_path: Path) -> None:
    config = {**wide(tiny(kind)), "torch_dtype": "float32"}
    source = written(tmp_path / "source", kind, config, torch_dtype="float32")
    ours = made(source, tmp_path / "made", **ROUTED[kind])
    block = json.loads((ours / "config.json").read_text())["quantization"]
    theirs, their_config = converted(source, **ROUTED[kind])
    assert block == their_config["quantization"]
    assert any(isinstance(one, dict) and one["bits"] == 8 for one in block.values())
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "config.json").write_text(json.dumps(their_config))
    mx.save_safetensors(str(tmp_path / "theirs" / "model.safetensors"), theirs)
    tokens = list(range(5, 25))
    logits = []
    for folder in (ours, tmp_path / "theirs"):
        with Engine.load(folder) as engine:
            logits.append(np.asarray(engine.logits(tokens)))
    if kind != "kimi_linear":  # of its latent attention mlx-lm rounds a part along its other axis
        np.testing.assert_array_equal(*logits)
    if kind != "qwen3_next":  # mlx-lm's class takes stacked experts for a sign of its own norms
        found = mlx_lm_oracle.logits(ours, tokens)
        assert np.abs(found - logits[0]).max() < 2e-2 * np.abs(found).max()


NOT_IN_MLX_LM = ("llama4_text",)


@pytest.mark.slow
@pytest.mark.parametrize("row", rows())
def test_no_family_has_a_setting_of_its_own_that_is_forgotten(row: str, tmp_path: Path) -> None:
    """mlx-lm's predicate, asked for each of our modules that its class has by the same name."""
    from mlx_lm.utils import load_model

    source = written(tmp_path / "source", row, tiny(row))
    if row in NOT_IN_MLX_LM:
        pytest.skip(f"mlx-lm does not load {row}")
    model, _ = load_model(source, lazy=True)
    asked = getattr(model, "quant_predicate", None) or (lambda *_: True)
    theirs = {name: one for name, one in model.named_modules() if hasattr(one, "to_quantized")}
    conversion = native().conversion(os.fsencode(source))
    modules = (one[0] for one in conversion.matrices)
    model_type = native().geometry((source / "config.json").read_bytes()).model_type
    made = targets(conversion.tensors, modules, model_type=model_type, wrapped=row in WRAPPED)
    matrices = [Matrix(one.module, 64, 256) for one in made if one.module in theirs]
    assert len(matrices) > conversion.layers
    block = settings_of(quantize_options(), matrices, conversion.layers, model_type)[1]
    for one in matrices:
        wanted = asked(one.module, theirs[one.module])
        assert block.get(one.module, True) == wanted, one.module


@pytest.mark.parametrize("spelling", ["transformers", "mlx"])
@pytest.mark.parametrize("kind", ["gemma3", "qwen3_vl", "mistral3"])
def test_a_text_model_inside_a_multimodal_checkpoint(
    kind: str, spelling: str, tmp_path: Path
) -> None:
    text = {**INNER[kind], "tie_word_embeddings": False}
    config = {"model_type": kind, "text_config": text, "vision_config": {}, "_name_or_path": "x"}
    config["vocab_size"] = text["vocab_size"]  # where mlx-lm looks for it
    content = spelled(text, *SPELLINGS[spelling])
    extra = checkpoints.Tensor("F32", np.zeros((8, 8), np.float32))
    source = checkpoints.write(
        tmp_path / "source", config, content={**content, "vision_tower.a.weight": extra}
    )
    ours = made(source, tmp_path / "made", recipe="mixed_3_6", group_size=32)
    found = tensors(ours)
    assert all(name.startswith("language_model.") for name in found)
    with Engine.load(ours) as engine:
        assert np.isfinite(np.asarray(engine.logits([1, 2, 3]))).all()
    if (kind, spelling) == ("gemma3", "transformers"):
        return  # which mlx-lm does not load
    theirs, their_config = converted(source, recipe="mixed_3_6", group_size=32)
    assert found.keys() == theirs.keys()
    for name, value in found.items():
        assert mx.array_equal(value.view(mx.uint8), theirs[name].view(mx.uint8)), name
    assert json.loads((ours / "config.json").read_text()) == their_config


def test_mlx_lm_loads_the_folder_and_gives_the_same_logits(tmp_path: Path) -> None:
    source = checkpoints.write(tmp_path / "source", LAYERS, "BF16")
    folder = made(source, tmp_path / "made", recipe="mixed_4_6")
    tokens = checkpoints.tokens(LAYERS, 12)
    with Engine.load(folder) as engine:
        ours = np.asarray(engine.logits(tokens))
    assert np.abs(ours - mlx_lm_oracle.logits(folder, tokens)).max() < 0.02


def test_columns_that_groups_do_not_divide_stay_float(tmp_path: Path) -> None:
    source = checkpoints.write(tmp_path / "source", tiny("llama"), "BF16")
    plan = plan_quantize(source, quantize_options(group_size=64))
    assert plan.left_float == tuple(
        f"model.layers.{i}.mlp.down_proj" for i in range(tiny("llama")["num_hidden_layers"])
    )
    folder = made(source, tmp_path / "made", group_size=64)
    assert "model.layers.0.mlp.down_proj.scales" not in tensors(folder)
    with Engine.load(folder) as engine:
        assert np.isfinite(np.asarray(engine.logits([1, 2, 3]))).all()


def test_shards_have_an_index_and_aligned_tensors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantize_plan, "shards_of", partial(shards_of, limit=40_000))
    source = checkpoints.write(tmp_path / "source", LAYERS, "BF16")
    folder = made(source, tmp_path / "made")
    names = sorted(path.name for path in folder.glob("*.safetensors"))
    assert len(names) > 3
    assert names[-1] == f"model-{len(names):05}-of-{len(names):05}.safetensors"
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    assert set(index["weight_map"].values()) == set(names)
    assert set(index["weight_map"]) == set(tensors(folder))
    for name in names:
        data = (folder / name).read_bytes()
        head = int.from_bytes(data[:8], "little")
        assert head % 64 == 56
        assert "data_offsets" in data[8 : 8 + head].decode()
    assert {one.kind for one in tensor_formats(folder)} == {
        "affine, 4 bits, groups of 64",
        "bfloat16",
    }


def test_other_files_come_along_and_weights_and_code_do_not(tmp_path: Path) -> None:
    source = checkpoints.write(tmp_path / "source", LAYERS, "BF16")
    for name in ("tokenizer.json", "LICENSE", "README.md", "tokenizer.model"):
        (source / name).write_text(name)
    for name in ("pytorch_model.bin", "modeling.py", ".gitattributes", "receipt.json", "x.gguf"):
        (source / name).write_text(name)
    (source / "original").mkdir()
    (source / "dangling").symlink_to("nowhere")
    before = {p.name: p.read_bytes() for p in source.iterdir() if p.is_file()}
    folder = made(source, tmp_path / "made")
    assert {path.name for path in folder.iterdir()} == {
        *("config.json", "model.safetensors"),
        *("tokenizer.json", "LICENSE", "README.md", "tokenizer.model"),
    }
    assert (folder / "LICENSE").read_text() == "LICENSE"
    assert {p.name: p.read_bytes() for p in source.iterdir() if p.is_file()} == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"mode": "int4"},
            "[quantize] mode is 'int4', which does not exist; give one of affine, mxfp4, mxfp8, "
            "nvfp4.",
        ),
        (
            {"bits": 7},
            "[quantize] bits is 7, which mode 'affine' does not have; give 2, 3, 4, 5, 6 or 8.",
        ),
        (
            {"mode": "nvfp4", "group_size": 32},
            "[quantize] group_size is 32, which mode 'nvfp4' does not have; give 16.",
        ),
        (
            {"bits": True},
            "[quantize] bits is True, which mode 'affine' does not have; give 2, 3, 4, 5, 6 or 8.",
        ),
        (
            {"recipe": "mixed_9"},
            "[quantize] recipe is 'mixed_9', which does not exist; give one of mixed_2_6, "
            "mixed_3_4, mixed_3_6, mixed_4_6.",
        ),
        (
            {"recipe": "mixed_3_6", "bits": 4},
            "[quantize] recipe 'mixed_3_6' says itself which matrices have how many bits in affine "
            "mode, so bits 4 cannot be given with it; give one of them.",
        ),
        (
            {"recipe": "mixed_3_6", "mode": "mxfp4"},
            "[quantize] recipe 'mixed_3_6' says itself which matrices have how many bits in affine "
            "mode, so mode 'mxfp4' cannot be given with it; give one of them.",
        ),
    ],
)
def test_options_that_do_not_exist(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequestError) as raised:
        quantize_options(**options)
    assert str(raised.value) == message


def test_what_is_quantized_already_is_refused(tmp_path: Path) -> None:
    block = {"group_size": 32, "bits": 8}
    one = checkpoints.write(tmp_path / "one", {**LAYERS, "quantization": block}, "BF16")
    with pytest.raises(InvalidRequestError) as raised:
        plan_quantize(one, quantize_options())
    assert str(raised.value) == (
        f"[quantize] {str(one)!r} is quantized already (affine, 8 bits, groups of 32); give the "
        "model that it was made from, in bfloat16, float16 or float32."
    )
    foreign = {"quant_method": "gptq", "bits": 4}
    two = checkpoints.write(tmp_path / "two", {**LAYERS, "quantization_config": foreign}, "BF16")
    with pytest.raises(InvalidRequestError, match=r"is quantized already \('gptq'\)"):
        plan_quantize(two, quantize_options())


def test_a_group_size_that_divides_nothing_is_refused(tmp_path: Path) -> None:
    config = {**LAYERS, "hidden_size": 96, "intermediate_size": 96, "head_dim": 24}
    source = checkpoints.write(tmp_path / "source", config, "BF16")
    with pytest.raises(InvalidRequestError) as raised:
        plan_quantize(source, quantize_options(group_size=128))
    assert str(raised.value) == (
        f"[quantize] groups of 128 divide the columns of no matrix in {str(source)!r}, so nothing "
        "would be quantized; give a smaller group size."
    )


def test_models_that_the_engine_does_not_run_are_refused(tmp_path: Path) -> None:
    source = checkpoints.write(tmp_path / "source", LAYERS, "BF16")
    (source / "config.json").write_text(json.dumps({**LAYERS, "model_type": "nobody"}))
    with pytest.raises(UnsupportedModelError):
        plan_quantize(source, quantize_options())
    (source / "config.json").write_text(json.dumps({**LAYERS, "num_hidden_layers": 4}))
    with pytest.raises(ModelCorruptError):
        plan_quantize(source, quantize_options())


def test_what_is_cut_off_meanwhile_is_noticed(tmp_path: Path) -> None:
    source = checkpoints.write(tmp_path / "source", LAYERS, "BF16")
    plan = plan_quantize(source, quantize_options())
    weights = source / "model.safetensors"

    def cut(_: int) -> None:
        with weights.open("r+b") as file:
            file.truncate(weights.stat().st_size // 2)

    with pytest.raises(ModelCorruptError, match="was cut off"), new_folder(tmp_path / "x") as new:
        write_quantized(plan, new, cut)
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_a_folder_is_made_whole_or_not_at_all(tmp_path: Path) -> None:
    source = checkpoints.write(tmp_path / "source", LAYERS, "BF16")
    plan = plan_quantize(source, quantize_options())

    def stop(_: int) -> None:
        assert not (tmp_path / "made").exists()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), new_folder(tmp_path / "made") as create:
        write_quantized(plan, create, stop)
    assert [path.name for path in tmp_path.iterdir()] == ["source"]
    left = tmp_path / ".made.unfinished"  # as a kill would leave it
    left.mkdir()
    (left / "model.safetensors").write_bytes(b"half")
    made(source, tmp_path / "made")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made", "source"]
    with pytest.raises(InvalidRequestError) as raised, new_folder(tmp_path / "made"):
        pass
    assert str(raised.value) == (
        f"[convert] {str(tmp_path / 'made')!r} is there already; give a folder that does not exist."
    )
    with (
        new_folder(tmp_path / "twice"),
        pytest.raises(StorageError, match="another process is making"),
        new_folder(tmp_path / "twice"),
    ):
        pass


def test_parts_of_a_matrix_make_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = checkpoints.write(tmp_path / "source", LAYERS, "BF16")
    whole = tensors(made(source, tmp_path / "whole", mode="nvfp4"))
    monkeypatch.setattr(quantizing, "_AT_ONCE", 200)
    told: list[int] = []
    plan = plan_quantize(source, quantize_options(mode="nvfp4"))
    with new_folder(tmp_path / "parts") as create:
        write_quantized(plan, create, told.append)
    parts = tensors(tmp_path / "parts")
    assert all(mx.array_equal(value, parts[name]) for name, value in whole.items())
    assert sum(told) == plan.source_bytes


def test_the_native_part_refuses_what_it_cannot_read(tmp_path: Path) -> None:
    source = checkpoints.write(tmp_path / "source", LAYERS, "BF16")
    conversion = native().conversion(str(source).encode())
    for call in (
        lambda: conversion.quantize("lm_head.weight", 90, 7, "BF16", "affine", 4, 64),
        lambda: conversion.quantize("lm_head.weight", -1, 7, "BF16", "affine", 4, 64),
        lambda: conversion.quantize("model.norm.weight", 0, 1, "BF16", "affine", 4, 64),
        lambda: conversion.cast("model.norm.weight", 0, 65, "BF16"),
        lambda: conversion.cast("model.norm.weight", 0, 1, "U8"),
        lambda: conversion.cast("model.norm.weight", 0, 1, "X"),
        lambda: conversion.cast("nothing", 0, 1, "BF16"),
    ):
        with pytest.raises(InvalidRequestError, match=r"^\[convert\] "):
            call()


def odd_numbers(rows: int, columns: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Rows of ties, of neighbours of what the scales change at, of zeros and of tiny numbers."""
    rng = np.random.default_rng(5)
    x = rng.standard_normal((rows, columns)) * np.exp2(rng.uniform(-12, 6, (rows, 1)))
    x[::5] = np.round(x[::5] * 8) / 4
    x[1::5, ::16] = 6 * np.exp2(rng.integers(-20, 4, (len(x[1::5]), 1)))
    x[1::5, ::16] *= 1 + rng.integers(-3, 4, x[1::5, ::16].shape) * 2.0**-23
    x[2::5] *= rng.random(x[2::5].shape) < 0.1
    x[3::10] *= 2.0**-20
    return x.astype(np.float32)


@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16"])
@pytest.mark.parametrize("last", [0.0, float("inf"), float("nan"), 1e30])
def test_four_bit_floats_are_those_of_mlx(dtype: str, last: float, tmp_path: Path) -> None:
    """Which are computed here; a share with numbers that are left to MLX too."""
    config = {**LAYERS, "vocab_size": 512, "hidden_size": 64}
    x = odd_numbers(512, 64)
    x[-1, -1] = last
    with np.errstate(over="ignore"):
        odd = checkpoints.stored(x, dtype)
    content = {**checkpoints.tensors(config, dtype), "lm_head.weight": odd}
    source = checkpoints.write(tmp_path / "source", config, content=content)
    weight = tensors(source)["lm_head.weight"]
    conversion = native().conversion(str(source).encode())
    for mode, group in (("mxfp4", 32), ("nvfp4", 16)):
        ours = conversion.quantize("lm_head.weight", 0, 512, dtype, mode, 4, group)
        theirs = mx.quantize(weight, mode=mode)
        for data, array in zip(ours, theirs, strict=False):
            assert data == np.array(array.view(mx.uint8)).tobytes()


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
def test_threads_do_not_add_up(tmp_path: Path) -> None:
    """MLX never ends the thread of a stream, and each thread that computes has a stream."""
    source = checkpoints.write(tmp_path / "source", wide(tiny("llama")), "F32")

    def quantize_in_a_thread(number: int) -> None:
        with ThreadPoolExecutor(1) as fresh:
            fresh.submit(made, source, tmp_path / f"made{number}").result()

    quantize_in_a_thread(0)
    before = len(os.listdir("/proc/self/task"))
    for number in range(1, 4):
        quantize_in_a_thread(number)
    # a stream for each matrix and thread would be dozens; threads of others may come meanwhile
    assert len(os.listdir("/proc/self/task")) < before + 8
