"""How long a 0.7 GB checkpoint takes to load from a warm page cache.

The checkpoint has the geometry of a 1.2B llama in 4 bits and random weights. Each sample is a
process of its own; the time is that of `Engine.load`, with the module and MLX imported (`import`
says how long that took) and without the tokenizer, which is read when first used.

    python bench/load.py --scratch FOLDER [--samples 9]
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from fabricate import fabricate

CONFIG = {
    "model_type": "llama",
    "vocab_size": 128256,
    "hidden_size": 2048,
    "num_hidden_layers": 16,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "intermediate_size": 8192,
    "max_position_embeddings": 131072,
    "rms_norm_eps": 1e-5,
    "rope_theta": 500000.0,
    "tie_word_embeddings": True,
    "quantization": {"group_size": 64, "bits": 4},
}


def measure(folder: Path) -> dict[str, float]:
    """Milliseconds to import and to load, in this process."""
    start = time.perf_counter()
    import convergio_mlx as cm
    from convergio_mlx.native import native

    native().backend()
    load = cm.Engine.load  # imports the engine's modules, asyncio among them
    imported = time.perf_counter()
    engine = load(folder)
    loaded = time.perf_counter()
    engine.close()
    return {"import": (imported - start) * 1e3, "load": (loaded - imported) * 1e3}


def main() -> None:
    """Prints every sample, then the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scratch", type=Path, help="a folder with room for 0.7 GB")
    parser.add_argument("--samples", type=int, default=9)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(args.measure)))
        return
    if args.scratch is None:
        parser.error("give --scratch FOLDER")
    folder = args.scratch / "load"
    try:
        total = fabricate(folder, CONFIG)
        for path in folder.glob("*.safetensors"):
            with path.open("rb") as file:
                while file.read(1 << 24):
                    pass
        command = [sys.executable, __file__, "--measure", str(folder)]
        samples = [
            json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
            for _ in range(args.samples)
        ]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{total / 1e9:.2f} GB, warm page cache, {args.samples} processes")
    for what in ("import", "load"):
        times = [sample[what] for sample in samples]
        each = " ".join(f"{value:.1f}" for value in times)
        print(f"{what}: median {statistics.median(times):.1f} ms ({each})")


if __name__ == "__main__":
    main()
