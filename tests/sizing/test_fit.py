"""What a model is said to need, against what it takes; refusals; recommendations."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import checkpoints
import convergio_mlx as cm
import convergio_mlx.sizing.footprint
from arch.variants import HERE, tiny
from convergio_mlx.errors import OutOfMemoryError
from convergio_mlx.platform.hardware.facts import Memory
from convergio_mlx.platform.native import native
from convergio_mlx.registry import RegistryEntry, load_registry
from convergio_mlx.sizing import fit, recommend
from convergio_mlx.sizing.fit import Fit, size
from convergio_mlx.sizing.footprint import (
    config_footprint,
    entry_footprint,
    folder_footprint,
    footprint,
)
from engine.small_models import VOCABULARY, make_model

GB = 1_000_000_000
ROWS = sorted(path.stem for path in HERE.glob("*.json"))
TINY = {
    "model_type": "llama",
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "intermediate_size": 96,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 128,
    "max_position_embeddings": 4096,
    "tie_word_embeddings": True,
}


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes the machine another one: `memory(available, total)` in bytes."""

    def pretend(available: float, total: float | None = None) -> Memory:
        known = Memory(int(total or available), int(available))
        for module in (fit, recommend):
            monkeypatch.setattr(module, "memory_for_models", lambda: known)
        return known

    return pretend


@pytest.mark.parametrize("row", ROWS)
def test_the_kv_cache_is_sized_as_the_engine_sizes_it(row: str, tmp_path: Path) -> None:
    config = json.loads((HERE / f"{row}.json").read_text())
    checkpoints.write(tmp_path / "m", config)
    known = folder_footprint(tmp_path / "m")
    assert known is not None
    with cm.Engine.load(tmp_path / "m") as engine:
        assert known.context_window == engine.context_window
        full = known.need(9001).kv_cache - known.need(9000).kv_cache  # beyond each window
        assert full == engine.kv_bytes_per_token
        assert known.state_bytes == engine.state_bytes
        assert known.need(1).kv_cache >= engine.state_bytes
        assert known.weights >= engine.weight_bytes > 0


MEASURE = """
import json, sys
from pathlib import Path
import convergio_mlx as cm
from convergio_mlx.sizing.footprint import _PROGRAM, folder_footprint
folder, tokens = Path(sys.argv[1]), int(sys.argv[2])
engine = cm.Engine.load(folder, prefix_cache_bytes=0)
before = cm.memory_use().active
answer = engine.generate([7] * tokens, cm.SamplingParams(max_tokens=1, ignore_eos=True))
list(answer)
need = folder_footprint(folder).need(tokens + 1)
kv = answer.stats.kv_bytes
print(json.dumps({
    "kv": kv, "kv_said": need.kv_cache,
    "compute": cm.memory_use().peak - before - kv, "compute_said": need.compute - _PROGRAM,
}))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"num_key_value_heads": 4, "head_dim": 64},
        {"hidden_size": 512, "intermediate_size": 512, "num_attention_heads": 8},
        {
            "model_type": "gemma2",
            "sliding_window": 64,
            "num_hidden_layers": 4,
            "hidden_size": 128,
            "head_dim": 64,
            "intermediate_size": 1024,
        },
        {
            **tiny("deepseek_v2"),
            "max_position_embeddings": 4096,
            "vocab_size": VOCABULARY,
            "hidden_size": 256,
            "num_attention_heads": 8,
            "kv_lora_rank": 128,
            "qk_nope_head_dim": 64,
            "v_head_dim": 64,
            "intermediate_size": 512,
        },
        {
            **tiny("falcon_h1"),
            "max_position_embeddings": 4096,
            "vocab_size": VOCABULARY,
            "hidden_size": 256,
            "head_dim": 64,
            "mamba_n_heads": 8,
            "mamba_d_head": 64,
            "mamba_d_ssm": 512,
            "mamba_d_state": 64,
            "intermediate_size": 512,
        },
    ],
)
def test_what_is_computed_stays_below_what_is_said(changes: dict[str, Any], tmp_path: Path) -> None:
    make_model(tmp_path / "m", **{"max_position_embeddings": 4096, **changes})
    found = json.loads(
        subprocess.run(
            [sys.executable, "-c", MEASURE, str(tmp_path / "m"), "1500"],
            capture_output=True,
            check=True,
            cwd=Path(__file__).parent,
        ).stdout
    )
    assert found["kv_said"] == found["kv"]
    assert found["compute"] <= found["compute_said"] <= 2.5 * found["compute"]


def test_a_limit_that_was_set_leaves_less() -> None:
    before = fit.memory_for_models()
    cm.set_memory_limit(300_000_000)
    try:
        limited = fit.memory_for_models()
    finally:
        cm.set_memory_limit(None)
    assert before is not None
    assert limited is not None
    assert limited.available <= 300_000_000 < before.available
    assert limited.total == before.total


@pytest.mark.parametrize("model", ["mistral-7b-q4", "mistral-small-24b", "qwen3-4b", "smollm3-3b"])
def test_an_entry_without_a_window_has_none(model: str) -> None:
    known = entry_footprint(load_registry().require(model))
    assert known is not None
    assert set(known.geometry.windows) == {0}


def test_a_well_known_model() -> None:
    known = entry_footprint(load_registry().require("llama-3.1-8b-q4"))
    assert known is not None
    need = known.need(8192)
    assert need.weights == 4_600_000_000
    assert need.kv_cache == 8192 * 32 * 2 * 8 * 128 * known.kv_bytes
    assert need.total == need.weights + need.kv_cache + need.compute


def test_of_a_mixture_of_experts_a_token_reads_a_few() -> None:
    """Qwen3-30B-A3B: 30.5 billion parameters, 3.3 of them active."""
    config = {
        "model_type": "qwen3_moe",
        "hidden_size": 2048,
        "intermediate_size": 6144,
        "moe_intermediate_size": 768,
        "num_hidden_layers": 48,
        "num_attention_heads": 32,
        "num_key_value_heads": 4,
        "head_dim": 128,
        "num_experts": 128,
        "num_experts_per_tok": 8,
        "vocab_size": 151936,
        "max_position_embeddings": 40960,
    }
    known = footprint(config, 17_200_000_000)
    assert known.need(2048).weights == 17_200_000_000
    assert known.active_weights / known.weights == pytest.approx(3.35 / 30.5, rel=0.01)
    dense = footprint({**config, "model_type": "qwen3"}, 17_200_000_000)
    assert dense.active_weights == dense.weights


def test_the_engine_counts_what_a_token_reads(tmp_path: Path) -> None:
    config = json.loads((HERE / "qwen3_moe.json").read_text())
    checkpoints.write(tmp_path / "m", config)
    model = native().load(os.fsencode(tmp_path / "m"), 0)
    matrices = {n: t.data.nbytes for n, t in checkpoints.tensors(config).items()}
    experts = sum(size for name, size in matrices.items() if ".experts." in name)
    table = matrices["model.embed_tokens.weight"]
    left_out = experts * 5 // 8 + table - table // config["vocab_size"]
    assert model.step_weight_bytes == sum(matrices.values()) - left_out


def test_each_tensor_is_counted_by_its_own_bits(tmp_path: Path) -> None:
    """gpt-oss' experts have 4 bits, and what every token goes through 8."""
    eight = {"group_size": 32, "bits": 8, "mode": "affine"}
    named = [f"self_attn.{name}_proj" for name in "qkvo"] + ["mlp.router"]
    rest = [f"model.layers.{layer}.{name}" for layer in range(4) for name in named]
    block = {"group_size": 32, "bits": 4, "mode": "mxfp4"}
    config = json.loads((HERE / "gpt_oss.json").read_text())
    config["quantization"] = {
        **block,
        **dict.fromkeys((*rest, "model.embed_tokens", "lm_head"), eight),
    }
    folder = checkpoints.write(tmp_path / "m", config, "BF16")
    experts, others = 0, 0
    for name, tensor in checkpoints.tensors(config, "BF16").items():
        if ".experts." in name:
            experts += tensor.data.nbytes
        else:
            others += tensor.data.nbytes
    known = folder_footprint(folder)
    assert known is not None
    head = known.weights - experts - others
    assert known.active_weights == head + others + experts * 3 // 7
    known_apart = config_footprint(json.dumps(config).encode(), experts + others)
    assert known_apart.active_weights == pytest.approx(others + experts * 3 / 7, rel=0.05)
    without = config_footprint(json.dumps({**config, "quantization": None}).encode(), known.weights)
    assert without.active_weights < 0.9 * known_apart.active_weights  # all alike: too few
    shutil.rmtree(folder)
    gone = replace(known)
    assert gone.active_weights == pytest.approx(known_apart.active_weights, rel=0.1)


def test_gpt_oss_reads_3_gigabytes_a_token() -> None:
    known = entry_footprint(load_registry().require("gpt-oss-20b"))
    assert known is not None
    # 2.4 billion parameters of experts in 4.25 bits, 1.8 billion others in 8.5
    assert known.active_weights == pytest.approx(2.389e9 * 4.25 / 8 + 1.8e9 * 8.5 / 8, rel=0.03)


def test_sliding_windows_bound_the_cache() -> None:
    small = {**TINY, "model_type": "mistral", "sliding_window": 1000}
    known = footprint(small, 0)
    assert known.need(4096).kv_cache == known.need(2000).kv_cache > known.need(1999).kv_cache


@pytest.mark.parametrize(
    ("available", "verdict", "words"),
    [
        (4 * GB, "fits", "fits with all 4096 tokens of context"),
        (None, "shorter", "fits with a context of 3000 tokens"),
        (0, "too large", "needs 1.2 GB, 0 kB available"),
    ],
)
def test_verdicts(available: int | None, verdict: str, words: str) -> None:
    known = footprint(TINY, GB)
    if available is None:
        available = known.need(3000).total
    found = Fit(known, available)
    assert (found.verdict, str(found)) == (verdict, words)
    said = found.as_json()
    assert said["verdict"] == verdict
    assert said["available_bytes"] == available


def test_one_byte_decides() -> None:
    known = footprint(TINY, GB)
    need = known.need(2048).total
    assert known.longest(need) == 2048
    assert known.longest(need - 1) == 2047
    assert Fit(known, need - 1).verdict == "too large"
    assert known.longest(0) == 0


def test_a_load_that_does_not_fit_is_refused_with_the_numbers(tmp_path: Path, memory: Any) -> None:
    folder = tmp_path / "m"
    checkpoints.write(folder, TINY)
    known = folder_footprint(folder)
    assert known is not None
    need = known.need(2048)
    memory(150_000_000)
    with pytest.raises(OutOfMemoryError) as refused:
        cm.Engine.load(folder)
    assert str(refused.value) == (
        f"[fit] {str(folder)!r} needs {size(need.total)} of memory ({size(need.weights)} of "
        f"weights, {size(need.kv_cache)} of KV cache for 2048 tokens, {size(need.compute)} to "
        "compute) and 150 MB is available; close other programs, force the load with force=True "
        "or --force."
    )
    cm.Engine.load(folder, force=True).close()


def test_files_beside_the_model_s_own_do_not_count(tmp_path: Path) -> None:
    folder = checkpoints.write(tmp_path / "m", TINY)
    alone = folder_footprint(folder)
    assert alone is not None
    for name in ("consolidated.safetensors", "adapters.safetensors", "model-00001.safetensors"):
        (folder / name).write_bytes(bytes(1 << 20))
    beside = folder_footprint(folder)
    assert beside is not None
    assert beside.weights == alone.weights == (folder / "model.safetensors").stat().st_size


def test_a_refusal_names_what_would_fit(monkeypatch: pytest.MonkeyPatch, memory: Any) -> None:
    memory(4 * GB)
    large = footprint(TINY, 30 * GB)
    monkeypatch.setattr(fit, "folder_footprint", lambda *_: large)
    with pytest.raises(OutOfMemoryError, match=r", or take 'gemma-4-e2b', which fits\.$"):
        fit.check("big", Path())


def test_a_system_that_does_not_tell_refuses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints.write(tmp_path / "m", TINY)
    monkeypatch.setattr(fit, "machine_memory", lambda: Memory(0, 0))
    assert fit.memory_for_models() is None
    cm.Engine.load(tmp_path / "m").close()


SPARSE = ("gemma-4-26b-a4b", "qwen3-coder-30b-a3b")


@dataclass(frozen=True)
class Machine:
    """Bytes, whether there is a GPU, and what is to be recommended."""

    available: float
    total: float
    gpu: bool
    general: str
    code: str | None
    reasoning: str | None


@pytest.mark.parametrize(
    "machine",
    [
        Machine(96 * GB, 128 * GB, True, "gemma-4-31b", "devstral-small-2-24b", "gemma-4-31b"),
        Machine(48 * GB, 64 * GB, True, "gemma-4-31b", "devstral-small-2-24b", "gemma-4-31b"),
        Machine(11.4 * GB, 17.2 * GB, True, "qwen3.5-9b", "qwen2.5-coder-7b", "qwen3.5-9b"),
        Machine(5.7 * GB, 8.6 * GB, True, "gemma-4-e4b", "qwen2.5-coder-7b", "gemma-4-e4b"),
        Machine(22 * GB, 25 * GB, False, *SPARSE, "gemma-4-26b-a4b"),
        Machine(3 * GB, 4 * GB, True, "qwen3-1.7b", None, "qwen3-1.7b"),
        Machine(1.2 * GB, 2 * GB, False, "smollm2-135m", None, None),
    ],
    ids=str,
)
def test_recommendations(machine: Machine, memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Core:
        prefill_chunk = staticmethod(lambda experts: 512 if machine.gpu or experts else 256)
        backend = staticmethod(lambda: "metal" if machine.gpu else "cpu")
        model_types = staticmethod(native().model_types)
        geometry = staticmethod(native().geometry)
        keeps_half_cache = staticmethod(lambda: False)

    memory(machine.available, machine.total)
    for module in (convergio_mlx.sizing.footprint, recommend):
        monkeypatch.setattr(module, "native", lambda: Core)
    found = {
        purpose: advice.entry.id for advice in recommend.advise() for purpose in advice.best_for
    }
    assert found.pop("smallest") == "smollm2-135m"
    named = {name: getattr(machine, name) for name in ("general", "code", "reasoning")}
    assert found == {name: model for name, model in named.items() if model}


def test_nothing_fits_a_tiny_machine(memory: Any) -> None:
    memory(0.3 * GB, 0.5 * GB)
    assert [one for one in recommend.advise() if one.suits] == []
    assert recommend.recommend("general") is None


def test_why_a_model_does_not_suit(memory: Any) -> None:
    memory(22 * GB, 25 * GB)
    base = {"id": "m", "repository": "o/r"}
    sizes = {**load_registry().require("qwen3-4b").as_json(), **base}
    entries = [
        RegistryEntry.parse(one)
        for one in (
            base,
            {**base, "model_type": "abacus"},
            {**sizes, "deprecated": True},
            {**sizes, "deprecated": True, "replaced_by": "n"},
            {**sizes, "memory_gb": 64},
            {**sizes, "download_bytes": 90 * GB},
            {**sizes, "config": {**sizes["config"], "num_attention_heads": 7}},
        )
    ]
    assert [one.why for one in recommend.advise(entries)] == [
        "its size is not known",
        "this version does not run abacus models",
        "no longer advised",
        "replaced by n",
        "wants 64 GB of memory, 25.0 GB here",
        "needs 90.6 GB, 22.0 GB available",
        "its size is not known",
    ]
    assert recommend.advise(entries)[0].as_json() == {
        "id": "m",
        "suits": False,
        "why": "its size is not known",
        "best_for": [],
        "fit": None,
    }


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 kB"), (999, "1 kB"), (512_300, "512 kB"), (999_600, "1 MB"), (44e6, "44 MB"),
     (999.6e6, "1.0 GB"), (4.56e9, "4.6 GB")],
)  # fmt: skip
def test_sizes(count: float, text: str) -> None:
    assert size(count) == text


def test_a_draft_model_counts_with_the_model(memory: Any, tmp_path: Path) -> None:
    whole = make_model(tmp_path / "whole", num_hidden_layers=8)
    draft = make_model(tmp_path / "draft")
    alone, beside = folder_footprint(whole), folder_footprint(draft)
    assert alone is not None
    assert beside is not None
    both = replace(alone, draft=beside).need(300)
    assert both.weights == alone.weights + beside.weights
    assert both.kv_cache == alone.need(300).kv_cache + beside.need(300).kv_cache
    assert both.compute == alone.need(300).compute
    room = Fit(alone, 0).least.total
    memory(room)
    fit.check("whole", whole)
    with pytest.raises(OutOfMemoryError) as caught:
        fit.check("whole", whole, draft=draft)
    assert str(caught.value).startswith("[fit] 'whole' with its draft model needs ")
    assert str(caught.value).endswith(
        "force the load with force=True or --force, or leave that out."
    )
    memory(Fit(replace(alone, draft=beside), 0).least.total)
    fit.check("whole", whole, draft=draft)
