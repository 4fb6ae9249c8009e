"""Logits by llama.cpp, of a GGUF file, where llama-cpp-python is installed."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest


def logits(path: Path, tokens: Sequence[int]) -> np.ndarray[Any, Any]:
    """(tokens, vocabulary) float32, all tokens in one batch, keys and values in float32."""
    lib = pytest.importorskip("llama_cpp")
    silent = lib.llama_log_callback(lambda *_: None)
    lib.llama_log_set(silent, ctypes.c_void_p(0))
    lib.llama_backend_init()
    options = lib.llama_model_default_params()
    options.n_gpu_layers = 0
    model = lib.llama_model_load_from_file(str(path).encode(), options)
    assert model, f"llama.cpp does not load {path}"
    wanted = lib.llama_context_default_params()
    wanted.n_ctx = wanted.n_batch = 256
    wanted.n_threads = wanted.n_threads_batch = 2
    wanted.type_k = wanted.type_v = 0  # float32
    wanted.flash_attn_type = 0
    context = lib.llama_init_from_model(model, wanted)
    batch = lib.llama_batch_init(len(tokens), 0, 1)
    batch.n_tokens = len(tokens)
    for at, token in enumerate(tokens):
        batch.token[at], batch.pos[at] = token, at
        batch.n_seq_id[at], batch.seq_id[at][0] = 1, 0
        batch.logits[at] = True
    try:
        assert lib.llama_decode(context, batch) == 0
        count = lib.llama_vocab_n_tokens(lib.llama_model_get_vocab(model))
        rows = [lib.llama_get_logits_ith(context, at) for at in range(len(tokens))]
        return np.stack([np.ctypeslib.as_array(row, (count,)).copy() for row in rows])
    finally:
        lib.llama_batch_free(batch)
        lib.llama_free(context)
        lib.llama_model_free(model)
        lib.llama_log_set(lib.llama_log_callback(0), ctypes.c_void_p(0))
