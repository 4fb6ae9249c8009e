"""The files that llama.cpp's own script made, read and written again with changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf

from convert import gguf_files
from convert.llama_cpp_cases import BY_NAME

Tensors = dict[str, Any]


def contents(name: str) -> tuple[str, dict[str, Any], Tensors]:
    """Architecture, keys and tensors of a file."""
    reader = gguf.GGUFReader(BY_NAME[name].path)
    keys = {key: field.contents() for key, field in reader.fields.items() if key[:5] != "GGUF."}
    tensors: Tensors = {}
    for tensor in reader.tensors:
        plain = tensor.tensor_type == gguf_files.Kind.F32
        tensors[tensor.name] = tensor.data if plain else (tensor.data, tensor.tensor_type)
    return keys.pop("general.architecture"), keys, tensors


def rewritten(path: Path, name: str, **changes: Any) -> Path:
    """That file with other keys; None takes one away."""
    architecture, keys, tensors = contents(name)
    keys |= {f"{architecture}.{key.replace('__', '.')}": value for key, value in changes.items()}
    kept = {key: value for key, value in keys.items() if value is not None}
    return gguf_files.write(path, architecture, kept, tensors)


def with_tensors(path: Path, name: str, changed: Tensors) -> Path:
    """That file with other tensors of the same names."""
    architecture, keys, tensors = contents(name)
    assert changed.keys() <= tensors.keys()
    return gguf_files.write(path, architecture, keys, {**tensors, **changed})
