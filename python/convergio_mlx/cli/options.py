"""The options that every command which answers has, declared once."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Self

from convergio_mlx.cli.numbers import number, whole
from convergio_mlx.store.locate import GUIDE_ID

if TYPE_CHECKING:
    from convergio_mlx.generation.sampling import SamplingParams


def _option(
    default: Any,
    about: str,
    metavar: str | None = None,
    kind: Callable[[str], Any] = str,
    *,
    short: str | None = None,
) -> Any:
    """A field that is an option too: a switch without a metavar, and one that may be given several
    times where its default is a tuple."""
    if metavar is None:
        settings: dict[str, Any] = {"action": "store_true"}
    else:
        settings = {"metavar": metavar, "type": kind}
        if isinstance(default, tuple):
            settings |= {"action": "append"}
    flags = [short] if short else []
    return field(default=default, metadata={"flags": flags, "help": about, **settings})


def _bias(given: str) -> tuple[int, float]:
    token, _, value = given.partition("=")
    try:
        return whole(token), number(value)
    except ArgumentTypeError as error:
        raise ArgumentTypeError(
            f"{given[:80]!r} is not a token id and a number, such as 42=-1.5"
        ) from error


@dataclass(frozen=True, kw_only=True)
class AnswerOptions:
    """What a person chose for an answer; each field is the option of its name."""

    model: str = _option(
        GUIDE_ID,
        "a model's id, hf:OWNER/NAME for a repository of the Hugging Face hub, or a folder with "
        "config.json, tokenizer.json and safetensors files (default: the one chosen in setup, else "
        f"{GUIDE_ID})",
        "MODEL",
        short="-m",
    )
    max_tokens: int | None = _option(
        None,
        "maximum tokens of the answer (default: what is left of the context window)",
        "N",
        whole,
    )
    temperature: float | None = _option(
        None,
        "0 always takes the most likely token, higher values vary more (default, here and for the "
        "next four: the model's generation_config.json, else no effect)",
        "X",
        number,
    )
    top_k: int | None = _option(None, "sample from the N most likely tokens; 0 is all", "N", whole)
    top_p: float | None = _option(
        None, "sample from the most likely tokens that together reach probability X", "X", number
    )
    min_p: float | None = _option(
        None, "sample from tokens at least X times as likely as the most likely one", "X", number
    )
    repetition_penalty: float | None = _option(
        None, "above 1: penalize tokens of the prompt and the answer", "X", number
    )
    presence_penalty: float = _option(
        0.0, "above 0: penalize tokens of the answer (default: 0)", "X", number
    )
    frequency_penalty: float = _option(
        0.0, "above 0: penalize them more with each repetition (default: 0)", "X", number
    )
    logit_bias: tuple[tuple[int, float], ...] = _option(
        (), "add X to the logit of token ID; can be given several times", "ID=X", _bias
    )
    seed: int | None = _option(None, "random seed; the same seed gives the same answer", "N", whole)
    stop: tuple[str, ...] = _option((), "stop before this text; can be given several times", "TEXT")
    draft_model: str | None = _option(
        None,
        "a smaller model with the same tokenizer that drafts tokens for this one, where that is "
        "faster; the answer is the same",
        "MODEL",
    )
    no_speculate: bool = _option(
        False,
        "run no tokens that prompt, answer or a draft model suggest beside the next; the answer is "
        "the same",
    )
    timeout: float | None = _option(
        None, "fail if the answer is not complete after so many seconds", "SECONDS", number
    )
    force: bool = _option(False, "load the model even if it does not fit into memory")
    yes: bool = _option(False, "download the model if it is not here, without asking", short="-y")
    stats: bool = _option(False, "print time and memory to standard error")
    json: bool = _option(False, "print each complete answer as one JSON object on one line")

    @classmethod
    def add_to(cls, parser: ArgumentParser) -> None:
        """Declares the options to a command's parser."""
        for one in fields(cls):
            settings = dict(one.metadata)
            flags = settings.pop("flags")
            name = f"--{one.name.replace('_', '-')}"
            parser.add_argument(*flags, name, default=SUPPRESS, **settings)

    @classmethod
    def of(cls, given: Namespace) -> Self:
        """The options of a parsed command line, then those of the configuration."""
        from convergio_mlx.platform.user_config import load_config

        config = load_config()
        values: dict[str, Any] = {**config.options}
        if config.default_model is not None:
            values["model"] = config.default_model
        names = [one.name for one in fields(cls)]
        chosen = {name: getattr(given, name) for name in names if name in given}
        return cls(**values | {name: one for name, one in chosen.items() if one is not None})

    def sampling(self) -> SamplingParams:
        """The engine's form of the options; their values are checked when it is used."""
        from convergio_mlx.generation.sampling import SamplingParams

        return SamplingParams(
            temperature=self.temperature,
            top_k=self.top_k,
            top_p=self.top_p,
            min_p=self.min_p,
            repetition_penalty=self.repetition_penalty,
            presence_penalty=self.presence_penalty,
            frequency_penalty=self.frequency_penalty,
            logit_bias=dict(self.logit_bias),
            seed=self.seed,
            max_tokens=self.max_tokens,
            stop=tuple(self.stop),
            speculate=not self.no_speculate,
        )
