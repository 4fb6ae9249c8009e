"""Quantizing a checkpoint of a true geometry: time, peak memory, and whether mlx-lm's bytes are the
same.

    python bench/quantize.py [--config CONFIG.JSON] [--mode affine] [--bits 4] [--compare]

The weights are random bfloat16. Each program runs in a process of its own; `--compare` has mlx-lm
convert the same folder too, and compares every tensor.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from fabricate import fabricate

GUIDE = Path(__file__).resolve().parents[1] / "python" / "convergio_mlx" / "guide"
LLAMA_1B: dict[str, Any] = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "torch_dtype": "bfloat16",
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "num_hidden_layers": 16,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
    "rms_norm_eps": 1e-5,
    "rope_theta": 500000.0,
    "tie_word_embeddings": True,
    "bos_token_id": 128000,
    "eos_token_id": 128009,
}


def ours(source: Path, output: Path, mode: str, bits: int | None) -> None:
    from convergio_mlx import store

    store.quantize(source, output=output, mode=mode, bits=bits)


def theirs(source: Path, output: Path, mode: str, bits: int | None) -> None:
    from mlx_lm.convert import convert

    convert(str(source), str(output), quantize=True, q_mode=mode, q_bits=bits)


def measured(who: str, arguments: list[str]) -> None:
    """Runs one of the functions above in a process of its own, and prints what it took."""
    start = time.monotonic()
    subprocess.run([sys.executable, __file__, "--run", who, *arguments], check=True)
    print(f"{who:7} {time.monotonic() - start:7.1f} s with the start of Python", flush=True)


def compare(one: Path, other: Path) -> str:
    import mlx.core as mx

    def tensors(folder: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for path in folder.glob("model*.safetensors"):
            found |= mx.load(str(path))
        return found

    left, right = tensors(one), tensors(other)
    if left.keys() != right.keys():
        return f"other tensors: {sorted(left.keys() ^ right.keys())[:4]}"
    for name, value in left.items():
        twin = right[name]
        same = value.dtype == twin.dtype and value.shape == twin.shape
        if not same or not mx.array_equal(value.view(mx.uint8), twin.view(mx.uint8)).item():
            return f"{name} differs"
    configs = [json.loads((folder / "config.json").read_text()) for folder in (one, other)]
    same = "and the same" if configs[0] == configs[1] else "but another"
    return f"the same {len(left)} tensors, {same} config.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, help="a config.json (default: Llama 3.2 1B's)")
    parser.add_argument("--mode", default="affine")
    parser.add_argument("--bits", type=int)
    parser.add_argument("--compare", action="store_true", help="with mlx-lm's convert")
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary folder)")
    parser.add_argument(
        "--run", nargs=3, metavar=("WHO", "SOURCE", "OUTPUT"), help=argparse.SUPPRESS
    )
    given = parser.parse_args()
    if given.run:
        who, source, output = given.run
        start = time.monotonic()
        {"ours": ours, "mlx-lm": theirs}[who](Path(source), Path(output), given.mode, given.bits)
        took, used = time.monotonic() - start, resource.getrusage(resource.RUSAGE_SELF)
        peak = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        print(
            f"{who:7} {took:7.1f} s, {used.ru_utime + used.ru_stime:.1f} s of processor time, "
            f"{peak / 1e6:.0f} MB at most",
            flush=True,
        )
        return
    top = given.folder or Path(tempfile.mkdtemp(prefix="quantize-"))
    try:
        config = json.loads(given.config.read_text()) if given.config else LLAMA_1B
        source = top / "source"
        if not source.exists():
            print(f"source  {fabricate(source, config) / 1e9:7.2f} GB", flush=True)
            for name in ("tokenizer.json", "tokenizer_config.json"):
                shutil.copy(GUIDE / name, source)
        options = ["--mode", given.mode, *(["--bits", str(given.bits)] if given.bits else [])]
        for who in ("ours", *(("mlx-lm",) if given.compare else ())):
            shutil.rmtree(top / who, ignore_errors=True)
            measured(who, [str(source), str(top / who), *options])
        if given.compare:
            print(compare(top / "ours", top / "mlx-lm"))
    finally:
        if not given.folder:
            shutil.rmtree(top)


if __name__ == "__main__":
    main()
