"""What the second turn of a conversation costs, beside its new tokens alone.

    python bench/second_turn.py --scratch FOLDER [--geometry smollm2-135m] [--tokens 2000]
        [--new 64] [--rounds 7] [--json FILE]

Each round has a conversation of its own, of so many tokens, and measures in turn

- kept: the second turn, which goes on from the kept KV cache of the first;
- alone: the same new tokens run behind the same conversation within one request, where a constraint
  forces them: no request begins, nothing is looked up or copied;
- fresh: the new tokens as a prompt without a conversation, so also without attention to it;
- again: the second turn with an empty prefix cache.

The claim is kept / alone. Weights are random, 4 bits in groups of 64; figures are medians.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from pathlib import Path
from typing import Any

import convergio_mlx as cm
from comparison.checkpoint import checkpoint
from comparison.recurrent import RECURRENT

GEOMETRIES: dict[str, dict[str, Any]] = {
    "smollm2-135m": {
        "model_type": "llama",
        "vocab_size": 49152,
        "hidden_size": 576,
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "intermediate_size": 1536,
        "rope_theta": 100000.0,
    },
    "qwen2.5-0.5b": {
        "model_type": "qwen2",
        "vocab_size": 151936,
        "hidden_size": 896,
        "num_hidden_layers": 24,
        "num_attention_heads": 14,
        "num_key_value_heads": 2,
        "intermediate_size": 4864,
        "rope_theta": 1000000.0,
    },
    **{name: RECURRENT[name] for name in ("lfm2.5-1.2b", "qwen3.5-4b-8")},
}
"""Of the last two the layers have states, which cannot go back: what is kept are snapshots."""
COMMON = {
    "rms_norm_eps": 1e-5,
    "hidden_act": "silu",
    "max_position_embeddings": 8192,
    "tie_word_embeddings": True,
    "quantization": {"group_size": 64, "bits": 4},
}
ANSWER = 32
"""Tokens of the first turn's answer."""


def answer(
    engine: cm.Engine, prompt: list[int], count: int, **options: Any
) -> tuple[list[int], cm.GenerationStats]:
    """An answer of `count` tokens, and what it took."""
    params = cm.SamplingParams(temperature=0, max_tokens=count, ignore_eos=True, speculate=False)
    generation = engine.generate(prompt, params, **options)
    tokens = [token for chunk in generation for token in chunk.token_ids]
    return tokens, generation.stats


def one_round(
    kept: cm.Engine, without: cm.Engine, dice: random.Random, tokens: int, new: int
) -> dict[str, float]:
    """Seconds of each way."""

    def draw(count: int) -> list[int]:
        return [dice.randrange(300, 40000) for _ in range(count)]

    first = draw(tokens - ANSWER)
    told, _ = answer(kept, first, ANSWER + 1)
    conversation = [*first, *told[:-1]]
    added = [told[-1], *draw(new - 1)]  # an answer's last token is never run: the next turn does
    steps = iter([added])
    mask = b"\xff" * (4 * ((kept.vocab_size + 31) // 32))

    _, second = answer(kept, [*conversation, *added], 1)
    assert second.cached_tokens == tokens, second
    _, alone = answer(without, conversation, new + 1, constraint=lambda _: next(steps, mask))
    assert alone.forced_tokens == new, alone
    _, fresh = answer(without, added, 1)
    _, again = answer(without, [*conversation, *added], 1)
    return {
        "kept": second.prefill_seconds,
        "alone": alone.decode_seconds,
        "fresh": fresh.prefill_seconds,
        "again": again.prefill_seconds,
    }


def main() -> None:
    """Prints the medians and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scratch", type=Path, required=True, help="where checkpoints lie")
    parser.add_argument("--geometry", choices=GEOMETRIES, default="smollm2-135m")
    parser.add_argument("--tokens", type=int, default=2000, help="of the conversation so far")
    parser.add_argument("--new", type=int, default=64, help="tokens of the second turn")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path, help="also writes every sample there")
    args = parser.parse_args()
    folder = checkpoint(args.scratch / args.geometry, GEOMETRIES[args.geometry] | COMMON)
    dice = random.Random(1)
    started = time.perf_counter()
    with (
        cm.Engine.load(folder) as kept,
        cm.Engine.load(folder, prefix_cache_bytes=0) as without,
    ):
        one_round(kept, without, dice, 200, args.new)  # warms up
        samples = [
            one_round(kept, without, dice, args.tokens, args.new) for _ in range(args.rounds)
        ]
    medians = {name: statistics.median(one[name] for one in samples) for name in samples[0]}
    print(
        f"{args.geometry}, {args.tokens} tokens of conversation and {args.new} new ones, "
        f"{args.rounds} rounds in {time.perf_counter() - started:.0f} s:"
    )
    for name, seconds in medians.items():
        low, high = (pick(one[name] for one in samples) for pick in (min, max))
        print(f"  {name:<6} {seconds * 1e3:8.1f} ms   ({low * 1e3:.1f} to {high * 1e3:.1f})")
    for other in ("alone", "fresh", "again"):
        ratios = [one["kept"] / one[other] for one in samples]
        print(f"  kept / {other:<6} {statistics.median(ratios):6.3f}")
    if args.json:
        args.json.write_text(json.dumps({"arguments": vars(args), "samples": samples}, default=str))


if __name__ == "__main__":
    main()
