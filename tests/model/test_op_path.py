"""MLX's ops, which a GPU runs, on the CPU: in the dtypes that a GPU has, against mlx-lm's logits in
the same dtype. Both round after each op, so they agree within what that dtype's rounding makes."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import checkpoints
import convergio_mlx as cm
from arch.variants import tiny
from model import mlx_lm_oracle
from model.quantizations import BASE, LENGTH, affine

RUN = Path(__file__).with_name("run_folders.py")
CHUNKS = (512, 1, 7)
# mixtures in 4 bits alone: MLX has no product of dense experts in half precision on a CPU
CONFIGS: dict[str, dict[str, Any]] = {
    "llama-4-bits": {**BASE, **affine(32, 4)},
    "llama-8-bits": {**BASE, **affine(64, 8)},
    "qwen3": tiny("qwen3"),
    "gemma2-softcapped-sliding": tiny("gemma2"),
    "gemma3-sliding": tiny("gemma3_text"),
    "cohere2-sliding": tiny("cohere2"),
    "phi3-one-matrix": tiny("phi3"),
    "gpt_oss-sinks": {**tiny("gpt_oss"), "intermediate_size": 64, **affine(32, 4)},
    "deepseek_v3-latent": {**tiny("deepseek_v3"), "first_k_dense_replace": 3},
}
SPREAD = {"float32": 1e-5, "float16": 0.008, "bfloat16": 0.08}
"""How far logits may lie apart, in parts of their spread."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(cm.availability().backend != "cpu", reason="a GPU runs them anyway"),
]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Checkpoints in bfloat16, whose data begins at an odd byte."""
    root = tmp_path_factory.mktemp("op_path")
    made = {}
    for name, config in CONFIGS.items():
        folder = made[name] = checkpoints.write(root / name, config, "BF16")
        path = folder / "model.safetensors"
        data = path.read_bytes()
        length = int.from_bytes(data[:8], "little")
        padding = b" " * (length % 2 == 0)
        header = data[8 : 8 + length] + padding
        path.write_bytes(len(header).to_bytes(8, "little") + header + data[8 + length :])
    return made


@cache
def expected(folder: Path, dtype: str) -> np.ndarray[Any, Any]:
    config = CONFIGS[folder.name]
    return mlx_lm_oracle.logits(folder, checkpoints.tokens(config, LENGTH), dtype)


@pytest.fixture(scope="module", params=SPREAD)
def dtype(request: pytest.FixtureRequest, folders: dict[str, Path]) -> str:
    """A dtype, in which all folders have been run: bound where they lie, and read."""
    name = str(request.param)
    for maps in ("1", "0"):
        environment = {
            **os.environ,
            "CONVERGIO_MLX_ISA": "off",
            "CONVERGIO_MLX_DTYPE": name,
            "CONVERGIO_MLX_MAP_WEIGHTS": maps,
            "PYTHONPATH": os.pathsep.join([str(RUN.parents[1]), *sys.path]),
        }
        done = subprocess.run(
            [sys.executable, RUN, f"{name}-{maps}", *folders.values()],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    return name


def apart(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> float:
    """Root mean square of a token's logits, in parts of their spread: the median of all tokens, as
    rounding may send one to another expert."""
    rows = np.sqrt(np.mean((one - other) ** 2, axis=1)) / np.std(other)
    return float(np.median(rows))


@pytest.mark.parametrize("config", CONFIGS)
def test_logits_are_those_of_mlx_lm(dtype: str, config: str, folders: dict[str, Path]) -> None:
    folder = folders[config]
    wanted = expected(folder, dtype)
    assert 0.3 < np.std(wanted) < 3
    for chunk in CHUNKS:
        ours = np.load(folder / f"{dtype}-1-{chunk}.npy")
        assert apart(ours, wanted) < SPREAD[dtype], f"{chunk=}"
        np.testing.assert_array_equal(np.load(folder / f"{dtype}-0-{chunk}.npy"), ours)


@pytest.mark.parametrize("config", CONFIGS)
def test_logits_are_as_near_to_exact_ones(
    dtype: str, config: str, folders: dict[str, Path]
) -> None:
    """As near as mlx-lm's, and no nearer: the dtype is what is computed in."""
    if dtype == "float32":
        return
    folder = folders[config]
    ours = np.load(folder / f"{dtype}-1-512.npy")
    exact = expected(folder, "float32")
    theirs = apart(expected(folder, dtype), exact)
    assert theirs / 2 < apart(ours, exact) < 1.3 * theirs
