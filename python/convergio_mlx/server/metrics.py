"""Counters of a server in the text format of Prometheus
(https://prometheus.io/docs/instrumenting/exposition_formats)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from convergio_mlx.chats.response import Timings, TokenUsage
from convergio_mlx.providers.model_pool import LoadedModel

_BUCKETS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)


@dataclass
class Histogram:
    """Seconds of something, in buckets."""

    counts: list[int] = field(default_factory=lambda: [0] * len(_BUCKETS))
    number: int = 0
    total: float = 0.0

    def add(self, seconds: float) -> None:
        """Counts one."""
        self.number += 1
        self.total += seconds
        for index, bound in enumerate(_BUCKETS):
            self.counts[index] += seconds <= bound

    def lines(self, name: str) -> Iterator[str]:
        """In Prometheus' text format."""
        for bound, count in zip(_BUCKETS, self.counts, strict=True):
            yield f'{name}_bucket{{le="{bound:g}"}} {count}'
        yield f'{name}_bucket{{le="+Inf"}} {self.number}'
        yield f"{name}_sum {self.total:.6f}"
        yield f"{name}_count {self.number}"


@dataclass
class Metrics:
    """What a server has done since it began; for one asyncio loop."""

    requests: Counter[tuple[str, int]] = field(default_factory=Counter)
    """By path and status; paths that there are not count as one."""
    under_way: int = 0
    """Answers that are being made or wait."""
    left: int = 0
    """Answers whose clients left."""
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    first_event: Histogram = field(default_factory=Histogram)
    answer: Histogram = field(default_factory=Histogram)

    def answered(self, usage: TokenUsage, timings: Timings) -> None:
        """Counts an answer."""
        self.input_tokens += usage.input_tokens
        self.cached_tokens += usage.cached_tokens
        self.output_tokens += usage.output_tokens
        self.first_event.add(timings.first_event_seconds)
        self.answer.add(timings.total_seconds)

    def text(self, models: Iterable[LoadedModel]) -> str:
        """All of them, with the models that are loaded."""
        lines = [*self._head("requests_total", "counter", "Requests by path and status.")]
        lines += [
            f'convergio_requests_total{{path="{path}",status="{status}"}} {count}'
            for (path, status), count in sorted(self.requests.items())
        ]
        for name, kind, about, value in (
            ("answers_under_way", "gauge", "Answers being made or waiting.", self.under_way),
            ("clients_left_total", "counter", "Answers whose clients left.", self.left),
            ("input_tokens_total", "counter", "Tokens of prompts.", self.input_tokens),
            ("cached_tokens_total", "counter", "Of those, reused.", self.cached_tokens),
            ("output_tokens_total", "counter", "Tokens of answers.", self.output_tokens),
        ):
            lines += [*self._head(name, kind, about), f"convergio_{name} {value}"]
        for name, about, histogram in (
            ("first_event_seconds", "From a request to the first piece.", self.first_event),
            ("answer_seconds", "From a request to its end.", self.answer),
        ):
            lines += self._head(name, "histogram", about)
            lines += histogram.lines(f"convergio_{name}")
        loaded = [*models]
        lines += self._head("model_bytes", "gauge", "Memory of each model that is loaded.")
        lines += [f"convergio_model_bytes{_label(one.name)} {one.bytes}" for one in loaded]
        return "\n".join(lines) + "\n"

    @staticmethod
    def _head(name: str, kind: str, about: str) -> tuple[str, str]:
        return f"# HELP convergio_{name} {about}", f"# TYPE convergio_{name} {kind}"


def _label(model: str) -> str:
    escaped = model.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'{{model="{escaped}"}}'
