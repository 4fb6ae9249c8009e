"""convergio-mlx through its public interface."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from comparison.subjects.process import Job, memory, run


class Ours:
    """An engine that keeps no state here: what it reuses of an earlier turn is its own affair."""

    def __init__(self) -> None:
        import convergio_mlx as cm
        from convergio_mlx.platform.native import native

        self._cm = cm
        self._native = native()
        self._engine_class = cm.Engine  # imports the engine's modules

    def load(self, job: Job) -> None:
        start = time.perf_counter()
        self._engine = self._engine_class.load(job.model)
        self._map_seconds = time.perf_counter() - start
        before = memory()["own_bytes"]
        _ = self._engine.tokenizer  # the others' load reads theirs
        after = memory()["own_bytes"]
        known = before is not None and after is not None
        self._tokenizer_bytes = after - before if known else None
        self._cached: list[int] = []

    def _params(self, count: int) -> Any:
        """Each token from a pass of its own, as the others make it."""
        return self._cm.SamplingParams(
            temperature=0, max_tokens=count, ignore_eos=True, speculate=False
        )

    def answer(self, prompt: Sequence[int], count: int) -> Iterator[int]:
        params = self._params(count)
        generation = self._engine.generate(list(prompt), params)
        for chunk in generation:
            yield from chunk.token_ids
        self._cached.append(generation.stats.cached_tokens)

    def constrained(self, count: int) -> dict[str, float]:
        params = self._params(count)
        schema = {"type": "array", "items": {"type": "string"}, "minItems": count}
        json_only = {"type": "json_schema", "json_schema": {"schema": schema}}
        found = {}
        for name, form in {"free": None, "bound": json_only}.items():
            for part in ("warm up", "measure"):  # the first compiles the grammar
                message = [{"role": "user", "content": f"{part}, {name}"}]
                events = self._engine.stream(message, params, response_format=form)
                list(events)
            if events.stats.output_tokens != count:
                raise SystemExit(f"{name}: {events.stats.output_tokens} tokens, not {count}")
            found[name] = events.stats.decode_seconds
        return found

    def together(self, prompts: Sequence[Sequence[int]], count: int) -> float:
        params = self._params(count)
        for prompt in prompts:  # so that all are decoded from the beginning
            self._engine.generate(list(prompt), params, max_tokens=1).text()
        gate = threading.Barrier(len(prompts))

        def times_of(prompt: Sequence[int]) -> list[float]:
            gate.wait()
            return [time.perf_counter() for _ in self._engine.generate(list(prompt), params)]

        with ThreadPoolExecutor(len(prompts)) as pool:
            times = list(pool.map(times_of, prompts))
        begin, end = max(one[0] for one in times), min(one[-1] for one in times)
        return sum(begin < at <= end for one in times for at in one) / (end - begin)

    def detail(self) -> dict[str, Any]:
        model = self._native.load(str(self._engine.folder).encode())
        return {
            "device": self._native.backend(),
            "isa": self._native.active_isa(),
            "map_seconds": self._map_seconds,
            "tokenizer_bytes": self._tokenizer_bytes,
            "cached_tokens": self._cached,
            "step_primitives": model.step_primitives(),
            "read_bytes_per_second": self._native.read_bandwidth(model.step_weight_bytes, 1.0),
        }


if __name__ == "__main__":
    run(Ours)
