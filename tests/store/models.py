"""Models that are small, and in every other way as on the hub."""

import json
import random
import struct
from pathlib import Path

from hub import Repository

GUIDE = Path(__file__).parents[2] / "python" / "convergio_mlx" / "guide"
MODEL = "llama-3.2-1b"
REPOSITORY = "mlx-community/Llama-3.2-1B-Instruct-4bit"

CONFIG = json.dumps(
    {
        "model_type": "llama",
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "vocab_size": 99,
        "max_position_embeddings": 512,
    }
).encode()
"""A config.json that the engine runs."""


def weights(size: int, seed: int) -> bytes:
    """A safetensors file with one tensor of `size` random bytes."""
    tensor = {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}
    header = json.dumps({f"t{seed}": tensor}).encode()
    return struct.pack("<Q", len(header)) + header + random.Random(seed).randbytes(size)


def sharded(size: int = 40_000) -> Repository:
    """Two shards with their index, and files that are not wanted."""
    shards = {f"model-0000{n}-of-00002.safetensors": weights(size, n) for n in (1, 2)}
    index = {"metadata": {}, "weight_map": {f"t{n}": name for n, name in enumerate(shards, 1)}}
    wanted = {
        "config.json": CONFIG,
        "tokenizer.json": b'{"version": "1.0"}',
        "tokenizer_config.json": b"{}",
        "generation_config.json": b"{}",
        "chat_template.jinja": b"{{ messages }}",
        "model.safetensors.index.json": json.dumps(index).encode(),
        **shards,
    }
    unwanted = {
        ".gitattributes": b"x",
        "README.md": b"x",
        "modeling.py": b"raise SystemExit",
        "pytorch_model.bin": b"x",
        "original/model.safetensors": b"x",
        "consolidated.safetensors": b"x",
    }
    return Repository({**wanted, **unwanted})


def wanted(repository: Repository) -> dict[str, bytes]:
    """What of a repository made by `sharded` is to be installed."""
    plain = {n: d for n, d in repository.files.items() if "/" not in n and n[0] != "."}
    return {
        name: data
        for name, data in plain.items()
        if not name.endswith((".py", ".bin", ".md")) and name != "consolidated.safetensors"
    }


def guide() -> Repository:
    """The embedded model, which the engine runs."""
    return Repository({path.name: path.read_bytes() for path in GUIDE.iterdir()})


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a folder, but for the receipt."""
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.name != "receipt.json"}
