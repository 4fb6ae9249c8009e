"""Fields that OpenAI's interfaces share, as the options of an answer."""

from __future__ import annotations

import secrets
import time
from typing import Any

from convergio_mlx.chats.response import TokenUsage
from convergio_mlx.server.body import Fields
from convergio_mlx.server.problems import refusal
from convergio_mlx.version import __version__

SAMPLING = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "stop", "seed")
OWN = ("top_k", "min_p", "repetition_penalty", "stop_token_ids", "ignore_eos", "speculate")
"""Options that OpenAI has not."""
TEMPLATE = ("chat_template_kwargs", "allow_lost_messages", "special_tokens_in_messages")
NEUTRAL = (
    *("user", "metadata", "store", "prompt_cache_key", "prompt_cache_retention"),
    *("prompt_cache_options", "safety_identifier", "prediction"),
)
"""Fields that say nothing of what an answer is."""
MOST_ANSWERS = 16
_TIERS = {"priority": "interactive", "flex": "background"}
FINGERPRINT = f"convergio-mlx-{__version__}"


def new_id(prefix: str) -> str:
    """The id of an answer, or of a part of it."""
    return f"{prefix}{secrets.token_hex(12)}"


def now() -> int:
    """Seconds since 1970."""
    return int(time.time())


def priority(fields: Fields) -> dict[str, Any]:
    """Who goes first: `priority`, by name, or a number as vLLM has it, of which lower ones go first
    and 0 is usual; else what OpenAI's `service_tier` says of it."""
    given, tier = fields.take("priority"), fields.take("service_tier")
    if given is None:
        named = _TIERS.get(tier) if isinstance(tier, str) else None
        return {} if named is None else {"priority": named}
    if isinstance(given, int) and not isinstance(given, bool):
        given = "normal" if given == 0 else "background" if given > 0 else "interactive"
    return {"priority": given}


def token_limit(fields: Fields, *names: str) -> dict[str, Any]:
    """`max_tokens`, by any of the names that it has."""
    given = fields.several(names)
    if len({*map(repr, given.values())}) > 1:
        raise refusal(f"[server] {' and '.join(given)} differ; give one of them.", names[0])
    return {"max_tokens": next(iter(given.values()))} if given else {}


def token_bias(fields: Fields) -> dict[str, Any]:
    """`logit_bias`, whose keys are texts in JSON."""
    bias = fields.take("logit_bias", {})
    try:
        return {"logit_bias": {int(token): value for token, value in bias.items()}} if bias else {}
    except (AttributeError, ValueError):
        raise refusal(
            "[server] logit_bias has no token ids with numbers; give an object of them.",
            "logit_bias",
        ) from None


def includes_usage(fields: Fields) -> bool:
    """`stream_options`: whether a stream ends with its usage."""
    options = fields.fields("stream_options")
    if options is None:
        return False
    wanted = options.flag("include_usage")
    options.drop(("include_obfuscation",))
    options.end()
    return wanted


def with_effort(effort: Any, options: dict[str, Any]) -> dict[str, Any]:
    """Options with how much a model is to reason: variables of its chat template."""
    if effort is None:
        return options
    if not isinstance(effort, str):
        raise refusal("[server] the reasoning effort is no text; give one.", "reasoning_effort")
    given = options.get("chat_template_kwargs") or {}
    thinks = {"enable_thinking": False} if effort == "none" else {"reasoning_effort": effort}
    return {**options, "chat_template_kwargs": {**thinks, **given}}


def seeded(options: dict[str, Any], index: int) -> dict[str, Any]:
    """Options of one of several answers, which would be the same with one seed. Seeds have 64 bits;
    what is no whole number is refused where it is used."""
    seed = options.get("seed")
    if not index or type(seed) is not int:
        return options
    return {**options, "seed": (seed + index) % (1 << 64)}


def usage_object(usage: TokenUsage) -> dict[str, Any]:
    """Tokens, as completions have them."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def usage_sum(usages: list[TokenUsage]) -> TokenUsage:
    """Of several answers to one prompt, which is counted once."""
    return TokenUsage(
        usages[0].input_tokens,
        sum(usage.output_tokens for usage in usages),
        usages[0].cached_tokens,
        reasoning_tokens=sum(usage.reasoning_tokens for usage in usages),
    )
