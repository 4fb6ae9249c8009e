"""mlx-lm through its Python interface, as its README shows it, with a prompt cache."""

from __future__ import annotations

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
        rest = self._mx.array(prompt[kept:])
        made: list[int] = []
        steps = self._step(rest, self._model, max_tokens=count, prompt_cache=self._cache)
        for token, _ in steps:
            made.append(int(token))
            yield made[-1]
        self._held = [*prompt, *made][: self._cache[0].offset]

    def detail(self) -> dict[str, Any]:
        return {"device": str(self._mx.default_device()), "prefill_step": 2048}


if __name__ == "__main__":
    run(MlxLm)
