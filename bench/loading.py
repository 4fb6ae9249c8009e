"""What loading a model takes, mapped and read into memory, beside reading its file.

    python bench/loading.py [--gigabytes 0.7] [--rounds 9]

Makes a checkpoint whose header leaves its tensors misaligned, as many published ones do. An Apple
GPU cannot bind those, so they are read into memory; CONVERGIO_MLX_MAP_WEIGHTS=0 has a CPU do the
same. The file is in the system's cache. Rounds are interleaved, and medians printed: ratios to the
time of reading the file whole, into memory of its own, and to that of reading it through one
buffer, which is less, since the system has to make no pages.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import fabricate

LLAMA = {
    "model_type": "llama",
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 32000,
    "rms_norm_eps": 1e-5,
    "rope_theta": 500000.0,
    "tie_word_embeddings": True,
    "max_position_embeddings": 4096,
    "quantization": {"group_size": 64, "bits": 4},
}
LAYER_BYTES = 34_000_000
BUFFER_BYTES = 8 << 20
READ = """
import json, sys, time
path, buffer = sys.argv[1], bytearray(int(sys.argv[2]))
begin = time.perf_counter()
with open(path, "rb") as file:
    whole = file.read()
middle = time.perf_counter()
with open(path, "rb", buffering=0) as file:
    while file.readinto(buffer):
        pass
print(json.dumps({"whole": middle - begin, "buffer": time.perf_counter() - middle}))
"""
LOAD = """
import json, resource, sys, time
from convergio_mlx.platform.native import native
core = native()
core.backend()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
begin = time.perf_counter()
model = core.load(sys.argv[1].encode())
seconds = time.perf_counter() - begin
active, peak, *_ = core.memory()
resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(json.dumps({"seconds": seconds, "active": active, "peak": peak, "resident": 1024 * resident}))
"""


def misalign(path: Path) -> None:
    """Rewrites a file with a header that is one byte longer."""
    moved = path.with_suffix(".moved")
    with path.open("rb") as file, moved.open("wb") as out:
        length = int.from_bytes(file.read(8), "little")
        out.write((length + 1).to_bytes(8, "little") + file.read(length) + b" ")
        shutil.copyfileobj(file, out, BUFFER_BYTES)
    moved.replace(path)


def timed(command: str, *arguments: object, **environment: str) -> dict[str, Any]:
    """What a process of its own prints."""
    done = subprocess.run(
        [sys.executable, "-c", command, *map(str, arguments)],
        env={**os.environ, **environment},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    """Prints a JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=0.7)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    layers = max(1, round(options.gigabytes * 1e9 / LAYER_BYTES))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "model"
        fabricate.fabricate(folder, {**LLAMA, "num_hidden_layers": layers})
        file = next(folder.glob("*.safetensors"))
        misalign(file)
        rounds = [
            (
                timed(READ, file, BUFFER_BYTES),
                timed(LOAD, folder, CONVERGIO_MLX_MAP_WEIGHTS="1"),
                timed(LOAD, folder, CONVERGIO_MLX_MAP_WEIGHTS="0"),
            )
            for _ in range(options.rounds)
        ]
        result = {"file_bytes": file.stat().st_size}
    median = statistics.median
    for name, which in (("mapped", 1), ("copied", 2)):
        for way in ("whole", "buffer"):
            ratios = (row[which]["seconds"] / row[0][way] for row in rounds)
            result[f"{name}_to_read_{way}"] = round(median(ratios), 3)
    for key in ("active", "peak", "resident"):
        result[f"copied_{key}_bytes"] = median(row[2][key] for row in rounds)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
