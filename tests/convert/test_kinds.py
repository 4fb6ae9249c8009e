"""What becomes of each kind of blocks: the same floats where the kind is exact, as the engine's own
kernels dequantize them, and a small error where it is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from convergio_mlx.convert import gguf_plan
from convergio_mlx.convert.gguf import convert_gguf, inspect_gguf
from convergio_mlx.convert.gguf_source import kinds
from convergio_mlx.errors import ModelCorruptError
from convert import gguf_files
from convert.blocks import EXACT, HALVES, REQUANTIZED, Kind, random_blocks

SIZE = 256
CONFIG: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": SIZE,
    "num_hidden_layers": 1,
    "num_attention_heads": 1,
    "intermediate_size": 32,
    "vocab_size": SIZE,
    "max_position_embeddings": 2 * SIZE,
    "rms_norm_eps": 1e-12,
}
RUN = """
import sys
from pathlib import Path
import numpy as np
import convergio_mlx as cm
for folder in map(Path, sys.argv[1:]):
    with cm.Engine.load(folder) as engine:
        for chunk in (512, 4):
            logits = engine.logits(list(range(256)), chunk=chunk)
            np.save(folder / f"{chunk}.npy", np.asarray(logits))
"""
ERRORS = {
    "Q6_K": 0.005,
    "Q2_K": 0.02,
    "Q3_K": 0.02,
    "IQ1_S": 0.02,
    "IQ1_M": 0.02,
    "IQ2_XXS": 0.02,
    "IQ2_XS": 0.02,
    "IQ2_S": 0.02,
    "IQ3_XXS": 0.02,
    "IQ3_S": 0.02,
}
"""What is added to the weights, root mean square over theirs, at most: docs/gguf.md's table."""


def model_of(head: tuple[np.ndarray[Any, Any], Kind]) -> dict[str, Any]:
    """A model whose logits of token i are column i of its head: each embedding is 16 in one place,
    the layer adds nothing, and the last norm makes that 1."""
    small = gguf_files.tensors_of(
        CONFIG,
        {
            "model.embed_tokens.weight": 16 * np.eye(SIZE, dtype=np.float32),
            **{
                f"model.layers.0.{name}.weight": np.zeros(shape, np.float32)
                for name, shape in {
                    "self_attn.q_proj": (SIZE, SIZE),
                    "self_attn.k_proj": (SIZE, SIZE),
                    "self_attn.v_proj": (SIZE, SIZE),
                    "self_attn.o_proj": (SIZE, SIZE),
                    "mlp.gate_proj": (32, SIZE),
                    "mlp.up_proj": (32, SIZE),
                    "mlp.down_proj": (SIZE, 32),
                    "input_layernorm": (SIZE,),
                    "post_attention_layernorm": (SIZE,),
                }.items()
            },
            "model.norm.weight": np.full(SIZE, 1 / 16, np.float32),
        },
    )
    return {**small, "output.weight": head}


def write(path: Path, blocks: np.ndarray[Any, Any], kind: Kind) -> Path:
    keys = {f"llama.{key}": value for key, value in gguf_files.keys_of(CONFIG).items()}
    keys.update(gguf_files.vocabulary(SIZE))
    return gguf_files.write(path, "llama", keys, model_of((blocks, kind)))


def convert(root: Path, kind: Kind, blocks: np.ndarray[Any, Any]) -> Path:
    folder = root / kind.name
    convert_gguf(write(root / f"{kind.name}.gguf", blocks, kind), folder)
    return folder


def run(*folders: Path) -> None:
    """The logits of each, with float32 activations."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, *folders],
        env={**os.environ, "CONVERGIO_MLX_EXACT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def weights_of(folder: Path, chunk: int = 512) -> np.ndarray[Any, Any]:
    found: np.ndarray[Any, Any] = np.load(folder / f"{chunk}.npy").T
    return found


def test_every_kind_has_a_test() -> None:
    tested = {kind.name: "exact" for kind in EXACT} | {k.name: "requantized" for k in REQUANTIZED}
    copied = dict.fromkeys(("F32", "F16", "BF16"), "copied")
    found = {name: kind.conversion for name, kind in kinds().items() if kind.conversion}
    assert found == tested | copied


def test_exact_kinds_dequantize_to_the_same_floats(tmp_path: Path) -> None:
    blocks = {kind: random_blocks(kind, SIZE, SIZE, kind.value) for kind in EXACT}
    folders = {kind: convert(tmp_path, kind, rows) for kind, rows in blocks.items()}
    run(*folders.values())
    for kind, folder in folders.items():
        wanted = gguf.quants.dequantize(blocks[kind], kind)
        for chunk in (512, 4):
            np.testing.assert_array_equal(weights_of(folder, chunk), wanted, err_msg=kind.name)


@pytest.mark.parametrize("kind", [Kind.F16, Kind.BF16])
def test_floats_are_copied(kind: Kind, tmp_path: Path) -> None:
    random = np.random.Generator(np.random.Philox(1))
    values = random.standard_normal((SIZE, SIZE)).astype(np.float32)
    folder = convert(tmp_path, kind, gguf.quants.quantize(values, kind))
    run(folder)
    wanted = gguf.quants.dequantize(gguf.quants.quantize(values, kind), kind)
    np.testing.assert_array_equal(weights_of(folder), wanted)


def test_the_error_of_requantized_kinds_is_what_the_page_says(tmp_path: Path) -> None:
    blocks = {k: random_blocks(k, SIZE, SIZE, k.value, scale=0.01) for k in REQUANTIZED}
    folders = {kind: convert(tmp_path, kind, rows) for kind, rows in blocks.items()}
    run(*folders.values())
    for kind, folder in folders.items():
        wanted = gguf.quants.dequantize(blocks[kind], kind)
        error = np.sqrt(np.mean((weights_of(folder) - wanted) ** 2) / np.mean(wanted**2))
        print(f"{kind.name}: {error:.5f}")
        assert 0 < error <= ERRORS[kind.name], kind.name


def test_kinds_with_codebooks_need_a_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "m.gguf", random_blocks(Kind.IQ2_S, SIZE, SIZE, 1), Kind.IQ2_S)
    assert inspect_gguf(path).refusals == ()
    monkeypatch.setattr(gguf_plan.util, "find_spec", lambda _: None)
    assert inspect_gguf(path).refusals == (
        "1 tensor is of kind IQ2_S, for which `pip install 'convergio-mlx[gguf]'` is needed",
    )


def test_kinds_that_do_not_convert_are_counted(tmp_path: Path) -> None:
    blocks = np.zeros((SIZE, SIZE), np.int8)
    assert inspect_gguf(write(tmp_path / "m.gguf", blocks, Kind.I8)).refusals == (
        "1 tensor is of kind I8",
    )


def test_scales_are_half_precision_wherever_that_holds_them(tmp_path: Path) -> None:
    """Of ordinary models; and single precision where the bias of a large scale would overflow."""
    dtypes = {}
    for kind, scale in ((Kind.Q4_0, 0.01), (Kind.Q8_0, 600.0), (Kind.Q6_K, 1e-5), (Kind.Q4_K, 1.0)):
        folder = convert(tmp_path, kind, random_blocks(kind, SIZE, SIZE, 3, scale=scale))
        head = (folder / "model.safetensors").read_bytes()
        size = int.from_bytes(head[:8], "little")
        dtypes[kind] = json.loads(head[8 : 8 + size])["lm_head.scales"]["dtype"]
    assert dtypes == {Kind.Q4_0: "F16", Kind.Q8_0: "F32", Kind.Q6_K: "F16", Kind.Q4_K: "F32"}


@pytest.mark.parametrize("kind", [*EXACT[:11], Kind.Q2_K, Kind.Q3_K, Kind.Q6_K])
@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_a_scale_that_is_no_finite_number_is_refused(
    kind: Kind, value: float, tmp_path: Path
) -> None:
    blocks = random_blocks(kind, SIZE, SIZE, 4, scale=0.01)
    size = gguf.GGML_QUANT_SIZES[kind][1]
    last = blocks.reshape(-1, size)[-1]
    last[HALVES[kind][-1] :][:2] = np.array([value], np.float16).view(np.uint8)
    path = write(tmp_path / "model.gguf", blocks, kind)
    with pytest.raises(ModelCorruptError) as refused:
        convert_gguf(path, tmp_path / "folder")
    assert str(refused.value) == (
        "[gguf] model.gguf: tensor 'output.weight' has a scale that is no finite number; get the "
        "file again."
    )
