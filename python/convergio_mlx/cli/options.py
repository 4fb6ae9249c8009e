"""The options that every command which answers has, declared once."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Self

from convergio_mlx.locate import GUIDE_ID

if TYPE_CHECKING:
    from convergio_mlx.sampling import SamplingParams


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
        return int(token), float(value)
    except ValueError as error:
        raise ArgumentTypeError(
            f"{given!r} is not a token id and a number, such as 42=-1.5"
        ) from error


@dataclass(frozen=True, kw_only=True)
class AnswerOptions:
    """What a person chose for an answer; each field is the option of its name."""

    model: str = _option(
        GUIDE_ID,
        "a model's id, or a folder with config.json, tokenizer.json and safetensors files "
        f"(default: what setup chose, else {GUIDE_ID})",
        "MODEL",
        short="-m",
    )
    max_tokens: int | None = _option(
        None, "tokens of the answer at most (default: what the context window leaves)", "N", int
    )
    temperature: float | None = _option(
        None,
        "0 takes the likeliest token, more is more varied (default, as for the next four: what "
        "the model's generation_config.json says, or no effect)",
        "X",
        float,
    )
    top_k: int | None = _option(None, "choose among the N likeliest tokens; 0 is all", "N", int)
    top_p: float | None = _option(
        None, "among the likeliest that together reach probability X", "X", float
    )
    min_p: float | None = _option(
        None, "among those at least X times as likely as the likeliest", "X", float
    )
    repetition_penalty: float | None = _option(
        None, "above 1, avoid the tokens of prompt and answer", "X", float
    )
    presence_penalty: float = _option(
        0.0, "above 0, avoid the answer's tokens (default: 0)", "X", float
    )
    frequency_penalty: float = _option(
        0.0, "above 0, avoid them more with each repetition (default: 0)", "X", float
    )
    logit_bias: tuple[tuple[int, float], ...] = _option(
        (), "add X to the logit of the token ID; may be given several times", "ID=X", _bias
    )
    seed: int | None = _option(None, "the same seed gives the same answer", "N", int)
    stop: tuple[str, ...] = _option(
        (), "end the answer before this text; may be given several times", "TEXT"
    )
    timeout: float | None = _option(
        None, "give up when the answer is not complete after so many seconds", "SECONDS", float
    )
    force: bool = _option(False, "load the model although it does not fit into memory")
    stats: bool = _option(False, "tell on standard error what the answer took")
    json: bool = _option(
        False, "write one JSON object for each answer, on one line, when it is complete"
    )

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
        from convergio_mlx.config import load_config

        config = load_config()
        values: dict[str, Any] = {**config.options}
        if config.default_model is not None:
            values["model"] = config.default_model
        names = [one.name for one in fields(cls)]
        chosen = {name: getattr(given, name) for name in names if name in given}
        return cls(**values | {name: one for name, one in chosen.items() if one is not None})

    def sampling(self) -> SamplingParams:
        """The engine's form of the options; their values are checked when it is used."""
        from convergio_mlx.sampling import SamplingParams

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
        )
