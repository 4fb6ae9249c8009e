"""What an answer took, for a person and for programs."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from convergio_mlx.generation.stats import GenerationStats


@dataclass(frozen=True)
class Timings:
    """An answer's cost: seconds, tokens and bytes."""

    load_seconds: float
    """Loading model and tokenizer; 0 where they were loaded for an earlier answer."""
    first_token_seconds: float
    """From the start of the load, or of the request, to the first token; measured as a whole."""
    stats: GenerationStats
    peak_bytes: int
    """The most that this process ever had resident, mapped weights included."""

    def as_json(self) -> dict[str, Any]:
        """The fields by name, in seconds, tokens a second and bytes."""
        stats = self.stats
        return {
            "first_token_seconds": self.first_token_seconds,
            "load_seconds": self.load_seconds,
            "template_seconds": stats.template_seconds,
            "tokenize_seconds": stats.tokenize_seconds,
            "queue_seconds": stats.queued_seconds,
            "prefill_seconds": stats.prefill_seconds,
            "decode_seconds": stats.decode_seconds,
            "prefill_tokens_per_second": stats.prefill_tokens_per_second,
            "decode_tokens_per_second": stats.decode_tokens_per_second,
            "drafted_tokens": stats.drafted_tokens,
            "accepted_tokens": stats.accepted_tokens,
            "draft_seconds": stats.draft_seconds,
            "draft_saved_seconds": stats.draft_saved_seconds,
            "kv_bytes": stats.kv_bytes,
            "peak_bytes": self.peak_bytes,
        }

    def lines(self) -> list[str]:
        """A few lines for a person."""
        stats = self.stats
        parts = {
            "load": self.load_seconds,
            "template": stats.template_seconds,
            "tokenize": stats.tokenize_seconds,
            "queue": stats.queued_seconds,
            "prefill": stats.prefill_seconds,
        }
        split = ", ".join(f"{name} {seconds * 1e3:.1f}" for name, seconds in parts.items())
        cached = f", {stats.cached_tokens} of them cached" if stats.cached_tokens else ""
        drafted = f", {stats.accepted_tokens} of them drafted" if stats.accepted_tokens else ""
        return [
            f"first token  {self.first_token_seconds * 1e3:.1f} ms",
            f"             {split}",
            f"prompt       {_tokens(stats.prompt_tokens, stats.prefill_tokens_per_second)}{cached}",
            f"answer       {_tokens(stats.output_tokens, stats.decode_tokens_per_second)}{drafted}",
            f"memory       {megabytes(stats.kv_bytes)} KV cache, "
            f"{megabytes(self.peak_bytes)} at the peak",
        ]


def usage(stats: GenerationStats) -> dict[str, Any]:
    """OpenAI's `usage` object."""
    return {
        "prompt_tokens": stats.prompt_tokens,
        "completion_tokens": stats.output_tokens,
        "total_tokens": stats.prompt_tokens + stats.output_tokens,
        "prompt_tokens_details": {"cached_tokens": stats.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": stats.reasoning_tokens},
    }


def peak_bytes() -> int:
    """The most this process had resident so far. Linux's getrusage counts what a parent had when
    it forked, so there it is the kernel's account of this program alone."""
    if sys.platform == "linux":
        with open("/proc/self/status", encoding="ascii") as file:
            peak = next(line for line in file if line.startswith("VmHWM:"))
        return int(peak.split()[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _tokens(count: int, per_second: float) -> str:
    speed = f", {per_second:.1f} tokens/s" if per_second > 0 else ""
    return f"{count} token{'' if count == 1 else 's'}{speed}"


def megabytes(count: int) -> str:
    """A number of bytes, for a person."""
    return f"{count / 1e6:.1f} MB"
