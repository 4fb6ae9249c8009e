"""A conversion takes memory for some pieces of tensors, however large the file is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import checkpoints
from arch.variants import tiny
from convert import gguf_files
from convert.gguf_files import Kind

ROWS, COLS = 60_000, 4096
"""260 MB of Q8_0."""
MOST = 200 << 20
"""Bytes that the program takes beyond what it has before, with four pieces at work."""
RUN = """
import resource, sys
from pathlib import Path
from convergio_mlx.convert.gguf import convert_gguf, inspect_gguf
unit = 1 if sys.platform == "darwin" else 1024
inspect_gguf(sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
convert_gguf(sys.argv[1], Path(sys.argv[2]))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    config = {
        **tiny("llama"),
        "num_hidden_layers": 1,
        "hidden_size": COLS,
        "head_dim": 16,
        "tie_word_embeddings": True,
    }
    small = {
        name: value
        for name, value in checkpoints.weights({**config, "vocab_size": 96}).items()
        if "embed" not in name
    }
    tensors = gguf_files.tensors_of(config, small)
    blocks = np.zeros((ROWS, COLS // 32 * 34), np.uint8)
    keys = {f"llama.{key}": value for key, value in gguf_files.keys_of(config).items()}
    keys |= gguf_files.vocabulary(96)
    path = gguf_files.write(
        tmp_path / "m.gguf",
        "llama",
        keys,
        {**tensors, "token_embd.weight": (blocks, Kind.Q8_0)},
    )
    assert path.stat().st_size > MOST
    done = subprocess.run(
        [sys.executable, "-c", RUN, path, tmp_path / "folder"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < MOST
    assert (tmp_path / "folder" / "model.safetensors").stat().st_size > path.stat().st_size
