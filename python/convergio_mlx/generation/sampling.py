"""How the next token is chosen and when an answer ends."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from numbers import Integral, Real
from typing import Any, TypedDict

from convergio_mlx.errors import InvalidRequestError

_FROM_CONFIG = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty")
_NEUTRAL: dict[str, float] = {
    "temperature": 0.0,
    "top_k": 0,
    "top_p": 1.0,
    "min_p": 0.0,
    "repetition_penalty": 1.0,
}
_MAX_INT = (1 << 31) - 1
_MAX_SEED = (1 << 64) - 1


@dataclass(frozen=True, kw_only=True)
class SamplingParams:
    """Options of one answer. Filters apply in the order of transformers: penalties, bias,
    temperature, top-k, top-p, min-p.

    An option that is None follows the model's generation_config.json, or, where that is silent,
    does nothing (and temperature 0).
    """

    temperature: float | None = None
    """Divides the logits; 0 takes the likeliest token. 0 to 100."""
    top_k: int | None = None
    """Keep the k likeliest tokens; 0 keeps all."""
    top_p: float | None = None
    """Keep the likeliest tokens that together reach this probability (Holtzman et al. 2020)."""
    min_p: float | None = None
    """Keep tokens at least this probable, relative to the likeliest (Nguyen et al. 2024)."""
    repetition_penalty: float | None = None
    """Divides the logits of tokens that prompt or answer has (Keskar et al. 2019); 1 is none.
    0.01 to 100."""
    presence_penalty: float = 0.0
    """Taken off the logits of tokens that the answer has, as OpenAI does."""
    frequency_penalty: float = 0.0
    """Taken off the logits of the answer's tokens, times their count, as OpenAI does."""
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    """Added to the logits of single tokens."""
    seed: int | None = None
    """The same seed gives the same text, whatever else runs; None draws one."""
    max_tokens: int | None = None
    """Tokens of the answer at most; None: what the context window leaves."""
    stop: str | Sequence[str] = ()
    """Texts that end the answer; neither they nor a part of them is given out."""
    stop_token_ids: Sequence[int] = ()
    """Tokens that end the answer, in addition to the model's own."""
    ignore_eos: bool = False
    """Go on after the model's own end tokens; for measuring."""
    speculate: bool = True
    """Let passes run tokens that prompt or answer suggest behind the next one, where that is
    faster; the answer is the same. On a GPU none are."""
    logprobs: int | None = None
    """Report each token's log-probability and those of so many likeliest ones, under the model's
    own distribution before penalties, bias, temperature and filters. 0 to 100."""

    @classmethod
    def of(cls, params: SamplingParams | None, options: Mapping[str, Any]) -> SamplingParams:
        """`params`, with the options that were given as keywords in place of its own.

        Raises:
            InvalidRequestError: `params` is not a SamplingParams.
        """
        if params is not None and not isinstance(params, SamplingParams):
            raise InvalidRequestError(
                f"[sampling] params is of type {type(params).__name__}; give SamplingParams or "
                "None."
            )
        given = {name: value for name, value in options.items() if name in SAMPLING_OPTIONS}
        return replace(params or cls(), **given)

    def with_defaults(self, config: Mapping[str, Any]) -> SamplingParams:
        """Fills in what is None from the model's generation_config.json, where a filter's value of
        0, -1, null or (of top_p) 1 means that it is off, and a number beyond what this engine
        takes is the nearest that it does."""
        sample = config.get("do_sample")
        fallback = _NEUTRAL | ({"temperature": 1.0} if sample is True else {})
        values: dict[str, Any] = {}
        for name in _FROM_CONFIG:
            if getattr(self, name) is None:
                applies = sample is not False or name == "repetition_penalty"
                given = config.get(name) if applies else None
                values[name] = fallback[name] if given is None else _published(name, given)
        return replace(self, **values)

    def native_options(self) -> dict[str, Any]:
        """The sampling options of a native request, each checked to be a number of its kind.

        Raises:
            InvalidRequestError: an option is not of its type; ranges are checked natively.
        """
        bias = self.logit_bias
        if not isinstance(bias, Mapping):
            raise _refusal("logit_bias", bias, "a mapping of token ids to numbers")
        return {
            "temperature": _number("temperature", self.temperature),
            "top_k": _integer("top_k", self.top_k),
            "top_p": _number("top_p", self.top_p),
            "min_p": _number("min_p", self.min_p),
            "repetition_penalty": _number("repetition_penalty", self.repetition_penalty),
            "presence_penalty": _number("presence_penalty", self.presence_penalty),
            "frequency_penalty": _number("frequency_penalty", self.frequency_penalty),
            "logit_bias": [
                (_integer("a token of logit_bias", t), _number("a value of logit_bias", b))
                for t, b in bias.items()
            ],
            "seed": self.drawn_seed() % (1 << 64),
            "logprobs": None if self.logprobs is None else _integer("logprobs", self.logprobs),
        }

    def drawn_seed(self) -> int:
        """The seed, or a random one where there is none.

        Raises:
            InvalidRequestError: it is no whole number of 64 bits.
        """
        import secrets

        return secrets.randbits(63) if self.seed is None else _integer("seed", self.seed, _MAX_SEED)

    def stop_strings(self) -> list[str]:
        """`stop` as a list, each entry still to be checked."""
        if isinstance(self.stop, str):
            return [self.stop]
        if isinstance(self.stop, bytes) or not isinstance(self.stop, Iterable):
            raise _refusal("stop", self.stop, "a text or a list of texts")
        return list(self.stop)


class SamplingOptions(TypedDict, total=False):
    """The fields of `SamplingParams` as keywords; one that is given replaces that of `params`."""

    temperature: float | None
    top_k: int | None
    top_p: float | None
    min_p: float | None
    repetition_penalty: float | None
    presence_penalty: float
    frequency_penalty: float
    logit_bias: Mapping[int, float]
    seed: int | None
    max_tokens: int | None
    stop: str | Sequence[str]
    stop_token_ids: Sequence[int]
    ignore_eos: bool
    speculate: bool
    logprobs: int | None


SAMPLING_OPTIONS = frozenset(field.name for field in fields(SamplingParams))


def check_keywords(call: str, given: Mapping[str, object], known: frozenset[str]) -> None:
    """Refuses a keyword that `call` does not take, as Python itself does.

    Raises:
        TypeError: it names the function that was called.
    """
    for name in given:
        if name not in known:
            raise TypeError(f"{call}() got an unexpected keyword argument {name!r}")


def _published(name: str, value: object) -> object:
    """An option of a generation_config.json as `SamplingParams` has it; what is no number is left
    to be refused."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if isinstance(value, float) and math.isnan(value):
        return value
    if value <= 0 or (name == "top_p" and value >= 1) or (name == "top_k" and value > _MAX_INT):
        return _NEUTRAL[name]
    if name == "top_k" and value == int(value):
        return int(value)
    if name in ("temperature", "repetition_penalty"):
        return float(min(max(value, 0.01 if name == "repetition_penalty" else 0.0), 100))
    return value


def _refusal(name: str, value: object, wanted: str) -> InvalidRequestError:
    return InvalidRequestError(f"[sampling] {name} is {value!r}, which must be {wanted}.")


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise _refusal(name, value, "a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise _refusal(name, value, "a finite number")
    return number


def _integer(name: str, value: object, limit: int = _MAX_INT) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise _refusal(name, value, "a whole number")
    number = int(value)
    if abs(number) > limit:
        raise _refusal(name, number, f"a whole number of {limit.bit_length()} bits at most")
    return number
