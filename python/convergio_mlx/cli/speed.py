"""How fast a model is on this machine, beside what the memory allows."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from convergio_mlx.cli.timings import peak_bytes
from convergio_mlx.engine.engine import Engine
from convergio_mlx.generation.sampling import SamplingParams
from convergio_mlx.platform.native import native

_SHORT_PROMPT = 16


@dataclass(frozen=True)
class Spread:
    """The median of some samples, the lowest and the highest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, samples: Sequence[float]) -> Spread:
        """Of one sample at least."""
        return cls(statistics.median(samples), min(samples), max(samples))


@dataclass(frozen=True)
class Speed:
    """What was measured: seconds, tokens a second and bytes."""

    backend: str
    """metal, cuda or cpu."""
    isa: str
    """The CPU kernels in use; empty on a GPU."""
    weight_bytes: int
    load_seconds: float
    """Loading model and tokenizer, once, from wherever the system has the files."""
    short_prompt_tokens: int
    """Of the prompt whose first token is waited for, and that decoding follows."""
    first_token_seconds: Spread
    prefill_tokens_per_second: Spread
    prompt_tokens: int
    """Of the prompt that prefill was measured with."""
    decode_tokens_per_second: Spread
    """After the first token of a short prompt's answer."""
    answer_tokens: int
    step_bytes: int
    """What making one of these tokens reads: weights, and the KV cache at the answer's middle."""
    read_bytes_per_second: float
    """The speed at which as many bytes can be read here."""
    peak_bytes: int
    """The most that this process had resident, mapped weights included."""

    @property
    def limit_tokens_per_second(self) -> float:
        """The most that the memory allows."""
        return self.read_bytes_per_second / self.step_bytes

    def as_json(self) -> dict[str, Any]:
        """The fields by name."""
        return asdict(self) | {"limit_tokens_per_second": self.limit_tokens_per_second}


def measure(
    model: str, prompt: int, answer: int, rounds: int, tell: Callable[[str], None]
) -> Speed:
    """Loads a model, warms it up with a short answer, and measures it `rounds` times.

    Args:
        model: as for `Engine.load`.
        prompt: tokens of the long prompt.
        answer: tokens to make after a short one, at least 2.
        rounds: at least 1.
        tell: is told what is being done.

    Raises:
        ConvergioError: the model cannot be loaded, or what is asked for does not fit it.
    """
    start = time.perf_counter()
    engine = Engine.load(model)
    _ = engine.tokenizer.stop_ids
    load_seconds = time.perf_counter() - start
    source = random.Random(1)

    def run(prompt_tokens: int, count: int) -> tuple[float, float]:
        """Seconds to the first token, and from there to the last."""
        ids = source.choices(range(engine.vocab_size), k=prompt_tokens)
        params = SamplingParams(temperature=0, max_tokens=count, ignore_eos=True, speculate=False)
        begun = time.perf_counter()
        times = [
            time.perf_counter() for chunk in engine.generate(ids, params) for _ in chunk.token_ids
        ]
        return times[0] - begun, times[-1] - times[0]

    tell("warming up")
    run(_SHORT_PROMPT, 2)
    first, prefill, decode = [], [], []
    for number in range(1, rounds + 1):
        which = f"round {number} of {rounds}"
        tell(f"reading a prompt of {prompt} tokens, {which}")
        prefill.append(prompt / run(prompt, 1)[0])
        tell(f"generating {answer} tokens, {which}")
        seconds, rest = run(_SHORT_PROMPT, answer)
        first.append(seconds)
        decode.append((answer - 1) / rest)
    tell("reading memory")
    core = native()
    step = engine.step_weight_bytes + engine.kv_bytes_per_token * (_SHORT_PROMPT + answer // 2)
    step += engine.state_bytes
    return Speed(
        backend=core.backend(),
        isa=core.active_isa() if core.backend() == "cpu" else "",
        weight_bytes=engine.weight_bytes,
        load_seconds=load_seconds,
        short_prompt_tokens=_SHORT_PROMPT,
        first_token_seconds=Spread.of(first),
        prefill_tokens_per_second=Spread.of(prefill),
        prompt_tokens=prompt,
        decode_tokens_per_second=Spread.of(decode),
        answer_tokens=answer,
        step_bytes=step,
        peak_bytes=peak_bytes(),
        read_bytes_per_second=core.read_bandwidth(step),
    )
