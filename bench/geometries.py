"""The true geometry of each registry model, with random weights: does it load and make tokens here?

One checkpoint at a time is written to a scratch folder, loaded from a cold page cache in a process
of its own, asked a question through its tokenizer and chat template, and removed again.

    CONVERGIO_TEST_DATA=… python bench/geometries.py --scratch FOLDER [--only ID …] [--tokens 16]

CONVERGIO_TEST_DATA holds configs/<id>.json and tokenizers/<name>/.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from fabricate import fabricate, forget

REGISTRY = Path(__file__).resolve().parents[1] / "models.json"
TOKENIZERS = {"llama": "llama-3", "phi3": "phi-3", "mistral": "phi-3", "qwen2": "qwen2.5"}
"""A model without a tokenizer among the data borrows one with a smaller vocabulary."""
QUESTION = [{"role": "user", "content": "Which of these models fits into 16 GB of memory?"}]
COLUMNS = (
    ("model", "{id}"),
    ("layers", "{layers}"),
    ("GB", "{gb:.2f}"),
    ("load ms", "{load_ms:.1f}"),
    ("read by load MB", "{loaded_mb:.1f}"),
    ("tokens", "{tokens}"),
    ("prefill tok/s", "{prefill:.1f}"),
    ("decode tok/s", "{decode:.2f}"),
    ("own memory MB", "{own_mb:.0f}"),
    ("peak resident GB", "{peak_gb:.2f}"),
)


def measure(folder: Path, tokens: int) -> dict[str, float]:
    """Loads `folder` and makes tokens, in this process."""
    import convergio_mlx as cm
    from convergio_mlx.platform.native import native

    native().backend()
    load = cm.Engine.load  # imports the engine's modules, asyncio among them
    start = time.perf_counter()
    engine = load(folder)
    load_seconds = time.perf_counter() - start
    loaded = (
        native().load(os.fsencode(folder)).resident_weight_bytes
    )  # a second map of the same pages
    made = engine.generate(
        QUESTION, cm.SamplingParams(temperature=0, max_tokens=tokens, ignore_eos=True)
    )
    count = sum(len(chunk.token_ids) for chunk in made)
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "load_ms": load_seconds * 1e3,
        "loaded_mb": loaded / 1e6,
        "tokens": count,
        "prefill": made.stats.prefill_tokens_per_second,
        "decode": made.stats.decode_tokens_per_second,
        "own_mb": native().memory()[1] / 1e6,
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9,
    }


def tokenizer_of(model: dict[str, Any], data: Path) -> Path:
    """The tokenizer folder for a registry model."""
    name = TOKENIZERS[model["model_type"]]
    if model["family"] == "deepseek-r1":
        name = "deepseek-r1-qwen"
    return data / "tokenizers" / name


def run(model: dict[str, Any], data: Path, scratch: Path, tokens: int) -> dict[str, Any]:
    """Fabricates, measures in a process of its own, and removes."""
    config = json.loads((data / "configs" / f"{model['id']}.json").read_text())
    folder = scratch / model["id"]
    try:
        total = fabricate(folder, config, tokenizer_of(model, data))
        forget(folder)
        done = subprocess.run(
            [sys.executable, __file__, "--measure", str(folder), "--tokens", str(tokens)],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    layers = config["num_hidden_layers"]
    return {"id": model["id"], "layers": layers, "gb": total / 1e9, **json.loads(done.stdout)}


def main() -> None:
    """Prints a row for each model as it is done."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scratch", type=Path, help="a folder with room for the largest: 9 GB")
    parser.add_argument("--only", nargs="+", metavar="ID", help="ids; else all with a config")
    parser.add_argument("--tokens", type=int, default=16)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(args.measure, args.tokens)))
        return
    if args.scratch is None or "CONVERGIO_TEST_DATA" not in os.environ:
        parser.error("give --scratch FOLDER and set CONVERGIO_TEST_DATA")
    data = Path(os.environ["CONVERGIO_TEST_DATA"])
    configs = {path.stem for path in (data / "configs").glob("*.json")}
    models = [m for m in json.loads(REGISTRY.read_text())["models"] if m["id"] in configs]
    print("| " + " | ".join(title for title, _ in COLUMNS) + " |")
    print("|" + "---|" * len(COLUMNS), flush=True)
    for model in models:
        if args.only and model["id"] not in args.only:
            continue
        row = run(model, data, args.scratch, args.tokens)
        print("| " + " | ".join(text.format(**row) for _, text in COLUMNS) + " |", flush=True)


if __name__ == "__main__":
    main()
