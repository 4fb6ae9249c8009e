"""The true geometry of published models, with random weights: does each load and make tokens here?

One checkpoint at a time is written to a scratch folder, loaded from a cold page cache in a process
of its own, asked a question, and removed again. A model whose file is larger than --most is cut in
layers alone, the first ones being kept; the table says so. "States" is what a sequence takes in
layers with a recurrence, however long it is.

    CONVERGIO_TEST_DATA=… python bench/geometries.py --scratch FOLDER [--only NAME …] [--tokens 16]

CONVERGIO_TEST_DATA holds configs/<name>.json, each with its "quantization" block.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import convergio_mlx as cm
from convergio_mlx.platform.native import native
from convergio_mlx.sizing.footprint import folder_footprint
from convergio_mlx.store.locate import guide_folder
from fabricate import CONVERTED, entries, fabricate, forget, size

Config = dict[str, Any]
PROMPT = list(range(7, 71))
COLUMNS = (
    ("model", "{name}"),
    ("layers", "{layers}"),
    ("GB", "{gb:.2f}"),
    ("read a token GB", "{active_gb:.2f}"),
    ("load ms", "{load_ms:.1f}"),
    ("read by load MB", "{loaded_mb:.1f}"),
    ("tokens", "{tokens}"),
    ("prefill tok/s", "{prefill:.1f}"),
    ("decode tok/s", "{decode:.2f}"),
    ("states MB", "{state_mb:.2f}"),
    ("own memory MB", "{own_mb:.0f}"),
    ("peak resident GB", "{peak_gb:.2f}"),
)


DEFAULTED = {
    "vocab_size": "vocab_size",
    "intermediate_size": "intermediate_size",
    "num_attention_heads": "heads",
    "num_key_value_heads": "kv_heads",
    "head_dim": "head_dim",
}
"""Fields that a config.json may leave to its class, and what the engine calls them."""


def text_of(config: Config) -> Config:
    """The config of the text model, which may be inside another's."""
    inside: Config = config.get("text_config", config)
    return inside


def cut(config: Config, layers: int) -> Config:
    """The same geometry with the first `layers` layers, as mlx-lm converts it."""
    made = copy.deepcopy(config)
    text = text_of(made)
    published = text["num_hidden_layers"]
    for name, value in text.items():
        if isinstance(value, list) and len(value) == published:
            text[name] = value[:layers]
    if letters := text.get("hybrid_override_pattern"):
        text["hybrid_override_pattern"] = letters[:layers]
    if block := text.get("linear_attn_config"):
        for name in ("kda_layers", "full_attn_layers"):
            block[name] = [layer for layer in block[name] if layer <= layers]
    if shared := text.get("num_kv_shared_layers"):
        text["num_kv_shared_layers"] = max(0, layers - (published - shared))
    text.update(CONVERTED, num_hidden_layers=layers)
    for key in ("vision_config", "audio_config", "quantization_config"):
        made.pop(key, None)
    sizes = native().geometry(json.dumps(config).encode())
    for key, name in DEFAULTED.items():
        text.setdefault(key, getattr(sizes, name))
    if text is not made and "tie_word_embeddings" in made:
        text.setdefault("tie_word_embeddings", made["tie_word_embeddings"])
    return made


def bytes_of(config: Config) -> int:
    """Of all tensors."""
    return sum(size(entry) for entry in entries(config))


def cut_to(config: Config, most: int) -> Config:
    """As much of a model as has no more than `most` bytes."""
    published = text_of(config)["num_hidden_layers"]
    whole = cut(config, published)
    total = bytes_of(whole)
    if total <= most:
        return whole
    first, second = (bytes_of(cut(config, count)) for count in (1, 2))
    # layers of experts, which come after dense ones, are the larger ones
    layer = max(second - first, (total - first) // (published - 1))
    least = 1 + text_of(config).get("first_k_dense_replace", 1)
    return cut(config, max(least, 1 + (most - first) // layer))


def measure(folder: Path, tokens: int) -> dict[str, float]:
    """Loads `folder` and makes tokens, in this process."""
    native().backend()
    load = cm.Engine.load  # imports the engine's modules, asyncio among them
    start = time.perf_counter()
    engine = load(folder)
    load_seconds = time.perf_counter() - start
    loaded = (
        native().load(os.fsencode(folder)).resident_weight_bytes
    )  # a second map of the same pages
    made = engine.generate(
        PROMPT,
        cm.SamplingParams(temperature=0, max_tokens=tokens, ignore_eos=True, speculate=False),
    )
    count = sum(len(chunk.token_ids) for chunk in made)
    unit = 1 if sys.platform == "darwin" else 1024
    known = folder_footprint(folder)
    assert known is not None
    return {
        "active_gb": known.active_weights / 1e9,
        "load_ms": load_seconds * 1e3,
        "loaded_mb": loaded / 1e6,
        "tokens": count,
        "prefill": made.stats.prefill_tokens_per_second,
        "decode": made.stats.decode_tokens_per_second,
        "state_mb": engine.state_bytes / 1e6,
        "own_mb": native().memory()[1] / 1e6,
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9,
    }


def run(name: str, config: Config, scratch: Path, most: int, tokens: int) -> dict[str, Any]:
    """Fabricates, measures in a process of its own, and removes."""
    published = text_of(config)["num_hidden_layers"]
    config = cut_to(config, most)
    kept = text_of(config)["num_hidden_layers"]
    folder = scratch / name
    try:
        total = fabricate(folder, config)
        shutil.copy(guide_folder() / "tokenizer.json", folder)  # the prompt is ids: any will do
        forget(folder)
        done = subprocess.run(
            [sys.executable, __file__, "--measure", str(folder), "--tokens", str(tokens)],
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if done.returncode != 0:
        raise RuntimeError(f"{name} did not run; its words are above")
    layers = f"{kept}" if kept == published else f"{kept} of {published}"
    return {"name": name, "layers": layers, "gb": total / 1e9, **json.loads(done.stdout)}


def runnable(configs: dict[str, Config]) -> dict[str, Config]:
    """Those that this version runs; of the others it says why, on stderr."""
    found = {}
    for name, config in configs.items():
        try:
            native().check_config(json.dumps(config).encode())
            found[name] = config
        except cm.ConvergioError as error:
            print(f"{name}: {error}", file=sys.stderr)
    return found


def main() -> None:
    """Prints a row for each model as it is done."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scratch", type=Path, help="a folder with room for the largest")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="else all that this version runs")
    parser.add_argument("--most", type=float, default=12.0, help="GB of a checkpoint (default: 12)")
    parser.add_argument("--tokens", type=int, default=16)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(args.measure, args.tokens)))
        return
    if args.scratch is None or "CONVERGIO_TEST_DATA" not in os.environ:
        parser.error("give --scratch FOLDER and set CONVERGIO_TEST_DATA")
    folder = Path(os.environ["CONVERGIO_TEST_DATA"]) / "configs"
    names = args.only or sorted(path.stem for path in folder.glob("*.json"))
    configs = {name: json.loads((folder / f"{name}.json").read_text()) for name in names}
    print("| " + " | ".join(title for title, _ in COLUMNS) + " |")
    print("|" + "---|" * len(COLUMNS), flush=True)
    failed = 0
    for name, config in runnable(configs).items():
        try:
            row = run(name, config, args.scratch, int(args.most * 1e9), args.tokens)
        except RuntimeError as error:
            print(error, file=sys.stderr)
            failed += 1
            continue
        print("| " + " | ".join(text.format(**row) for _, text in COLUMNS) + " |", flush=True)
    sys.exit(min(failed, 1))


if __name__ == "__main__":
    main()
