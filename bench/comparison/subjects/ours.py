"""convergio-mlx through its public interface."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from comparison.subjects.process import Job, run


class Ours:
    """An engine that keeps no state here: what it reuses of an earlier turn is its own affair."""

    def __init__(self) -> None:
        import convergio_mlx as cm
        from convergio_mlx.native import native

        self._cm = cm
        self._native = native()
        self._engine_class = cm.Engine  # imports the engine's modules

    def load(self, job: Job) -> None:
        self._engine = self._engine_class.load(job.model)
        self._cached: list[int] = []

    def answer(self, prompt: Sequence[int], count: int) -> Iterator[int]:
        params = self._cm.SamplingParams(temperature=0, max_tokens=count, ignore_eos=True)
        generation = self._engine.generate(list(prompt), params)
        for chunk in generation:
            yield from chunk.token_ids
        self._cached.append(generation.stats.cached_tokens)

    def detail(self) -> dict[str, Any]:
        return {
            "backend": self._native.backend(),
            "isa": self._native.active_isa(),
            "cached_tokens": self._cached,
            "weight_bytes": self._engine.weight_bytes,
            "kv_bytes_per_token": self._engine.kv_bytes_per_token,
        }


if __name__ == "__main__":
    run(Ours)
