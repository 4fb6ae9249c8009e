"""mlx-lm through its Python interface, as its README shows it, with a prompt cache."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any

from comparison.subjects.process import Job, run


class MlxLm:
    """The cache holds all tokens but the last one made, which mlx-lm has not run yet."""

    def __init__(self) -> None:
        import mlx.core as mx
        import mlx_lm
        from mlx_lm.generate import generate_step
        from mlx_lm.models.cache import make_prompt_cache

        self._mx, self._lm = mx, mlx_lm
        self._step, self._make_cache = generate_step, make_prompt_cache

    def load(self, job: Job) -> None:
        self._model, self._tokenizer = self._lm.load(job.model)
        self._held: list[int] = []

    def answer(self, prompt: Sequence[int], count: int) -> Iterator[int]:
        kept = len(self._held)
        if not kept or self._held != list(prompt[:kept]):
            self._cache, kept = self._make_cache(self._model), 0
        rest = self._mx.array(list(prompt[kept:]))
        made: list[int] = []
        steps = self._step(rest, self._model, max_tokens=count, prompt_cache=self._cache)
        for token, *_ in steps:
            made.append(int(token))
            yield made[-1]
        # a layer with a state alone does not count
        ran = max(getattr(layer, "offset", 0) for layer in self._cache)
        self._held = [*prompt, *made][:ran]

    def constrained(self, _count: int) -> None:
        """Not measured."""

    def together(self, _prompts: Sequence[Sequence[int]], _count: int) -> None:
        """Not measured: mlx-lm's batches are a GPU's."""

    def detail(self) -> dict[str, Any]:
        mx = self._mx
        logits = self._model(mx.array([[0]]), cache=self._make_cache(self._model))
        graph = io.StringIO()
        mx.export_to_dot(graph, logits)
        on_cpu = mx.default_device() == mx.Device(mx.cpu)
        gpu = "metal" if mx.metal.is_available() else "cuda"
        return {
            "device": "cpu" if on_cpu else gpu,
            "prefill_step": 2048,
            "step_primitives": graph.getvalue().count("shape=rectangle"),
        }


if __name__ == "__main__":
    run(MlxLm)
