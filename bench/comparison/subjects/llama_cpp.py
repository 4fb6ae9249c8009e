"""llama.cpp through the C interface that llama-cpp-python carries: its own bindings above that
would add Python to every token."""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

from comparison.subjects.process import Job, run

BATCH, MICRO_BATCH = 2048, 512
"""llama.cpp's own defaults."""


class LlamaCpp:
    """A model, a context of one sequence, and which tokens are in it."""

    def __init__(self) -> None:
        import llama_cpp
        import numpy as np

        self._lib, self._np = llama_cpp, np
        self._silence = llama_cpp.llama_log_callback(lambda *_: None)
        llama_cpp.llama_log_set(self._silence, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()

    def load(self, job: Job) -> None:
        lib = self._lib
        model = lib.llama_model_default_params()
        model.n_gpu_layers = -1  # all of them, where there is a GPU
        self._model = lib.llama_model_load_from_file(job.model.encode(), model)
        context = lib.llama_context_default_params()
        sequences = max(1, job.together)
        context.n_seq_max = sequences
        context.n_ctx = -(-(job.context + 32) // 256) * 256 * sequences
        context.n_batch, context.n_ubatch = BATCH, MICRO_BATCH
        context.swa_full = False  # as llama.cpp's programs have it
        context.n_threads = context.n_threads_batch = job.threads
        self._context = lib.llama_init_from_model(self._model, context)
        if not self._context:
            raise SystemExit(f"llama.cpp cannot load {job.model}")
        self._vocab_size = job.vocab_size
        self._held: list[int] = []

    def answer(self, prompt: Sequence[int], count: int) -> Iterator[int]:
        kept = len(self._held)
        if self._held != list(prompt[:kept]):
            self._lib.llama_memory_clear(self._lib.llama_get_memory(self._context), True)
            kept = 0
        for start in range(kept, len(prompt), BATCH):
            self._decode(prompt[start : start + BATCH])
        self._held = list(prompt)
        for number in range(count):
            logits = self._lib.llama_get_logits_ith(self._context, -1)
            row = self._np.ctypeslib.as_array(logits, (self._vocab_size,))
            token = int(row.argmax())
            yield token
            if number + 1 < count:
                self._decode([token])
                self._held.append(token)

    def _decode(self, tokens: Sequence[int]) -> None:
        ids = (self._lib.llama_token * len(tokens))(*tokens)
        batch = self._lib.llama_batch_get_one(ids, len(tokens))
        if failure := self._lib.llama_decode(self._context, batch):
            raise SystemExit(f"llama_decode gave {failure}")

    def constrained(self, _count: int) -> None:
        """Not measured."""

    def together(self, prompts: Sequence[Sequence[int]], count: int) -> float:
        lib = self._lib
        lib.llama_memory_clear(lib.llama_get_memory(self._context), True)
        self._held = []
        for sequence, prompt in enumerate(prompts):
            self._batch([(token, at, sequence) for at, token in enumerate(prompt)])
        tokens = [1] * len(prompts)
        length = len(prompts[0])
        begin = 0.0
        for step in range(count):
            self._batch([(token, length + step, sequence) for sequence, token in enumerate(tokens)])
            for sequence in range(len(prompts)):
                logits = lib.llama_get_logits_ith(self._context, sequence)
                row = self._np.ctypeslib.as_array(logits, (self._vocab_size,))
                tokens[sequence] = int(row.argmax())
            begin = begin or time.perf_counter()
        return (count - 1) * len(prompts) / (time.perf_counter() - begin)

    def _batch(self, rows: Sequence[tuple[int, int, int]]) -> None:
        """Runs rows of a token, its position and its sequence; asks for the logits of the last
        row of each sequence."""
        batch = self._lib.llama_batch_init(len(rows), 0, 1)
        batch.n_tokens = len(rows)
        last = {sequence: at for at, (_, _, sequence) in enumerate(rows)}
        for at, (token, position, sequence) in enumerate(rows):
            batch.token[at], batch.pos[at] = token, position
            batch.n_seq_id[at], batch.seq_id[at][0] = 1, sequence
            batch.logits[at] = last[sequence] == at
        failure = self._lib.llama_decode(self._context, batch)
        self._lib.llama_batch_free(batch)
        if failure:
            raise SystemExit(f"llama_decode gave {failure}")

    def detail(self) -> dict[str, Any]:
        gpu = "metal" if sys.platform == "darwin" else "cuda"
        return {
            "device": gpu if self._lib.llama_supports_gpu_offload() else "cpu",
            "system": self._lib.llama_print_system_info().decode(),
            "batch": BATCH,
            "micro_batch": MICRO_BATCH,
            "kv": "f16",
        }


if __name__ == "__main__":
    run(LlamaCpp)
