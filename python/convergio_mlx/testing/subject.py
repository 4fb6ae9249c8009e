"""What the suite is run on, and how it says what it misses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from convergio_mlx.chats.tools import ToolDefinition
from convergio_mlx.errors import ConvergioError, ErrorCode, ProviderErrorInfo
from convergio_mlx.generation.sampling import SamplingParams
from convergio_mlx.providers.interface import Provider


def _weather() -> ToolDefinition:
    return ToolDefinition(
        "get_weather",
        "The current weather of a city.",
        {
            "type": "object",
            "properties": {"city": {"type": "string", "description": "Name of the city"}},
            "required": ["city"],
        },
    )


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A provider to be examined. Its model has to give the same answer to the same question with
    temperature 0, and different ones to the questions."""

    create: Callable[[], Provider]
    """Makes a provider that is not initialized yet; called once a check."""
    model: str
    """The id of a model that can be used as things are."""
    questions: tuple[str, ...] = (
        "Which model fits in 8 GB of memory?",
        "How do I download a model?",
        "What are you?",
        "Can you work offline?",
    )
    """Each gets an answer of several words."""
    tool: ToolDefinition = field(default_factory=_weather)
    tool_question: str = "What is the weather in Rome?"
    """Asks for a call of the tool."""
    long: SamplingParams = field(default_factory=lambda: short(max_tokens=512))
    """With these the answer to each question has hundreds of tokens, always the same: too many to
    be there at once, however slow the reader. Where the model ends its answers sooner, bias its
    end tokens with `logit_bias`."""
    counts_exactly: bool = True
    """Whether `count_tokens` is what `usage.input_tokens` will be."""

    @contextmanager
    def provider(self) -> Iterator[Provider]:
        """A provider, ready until the end of the block."""
        made = self.create()
        made.init()
        try:
            yield made
        finally:
            made.shutdown()


def short(**changes: Any) -> SamplingParams:
    """The likeliest answer, of a moderate length."""
    return SamplingParams(**{"temperature": 0, "max_tokens": 24, **changes})


def expect(holds: object, sentence: str) -> None:
    """Raises AssertionError with what was found instead, unless it holds; `assert` would be gone
    under -O."""
    if not holds:
        raise AssertionError(sentence)


def expect_error(code: ErrorCode, call: Callable[[], object]) -> ConvergioError:
    """The error that a call has to end with."""
    try:
        result = call()
    except ConvergioError as error:
        expect(error.code == code, f"expected the error {code}, got {error.code}: {error}")
        expect(str(error).strip(), f"the error {code} says nothing")
        return error
    raise AssertionError(f"expected the error {code}, got {result!r}")


def expect_last(provider: Provider, error: ConvergioError) -> None:
    """`last_error` is that error."""
    found = provider.last_error
    expect(
        found == ProviderErrorInfo.of(error), f"last_error is {found}, after the error {error!r}"
    )


def expect_fine(provider: Provider, subject: Subject) -> None:
    """The next request is answered."""
    response = provider.chat(subject.model, None, subject.questions[0], params=short(max_tokens=4))
    expect(response.usage.output_tokens > 0, f"the next request got {response!r}")
    expect(provider.last_error.code == ErrorCode.OK, f"last_error is {provider.last_error}")


def arguments_fit(arguments: Any, schema: Mapping[str, Any]) -> bool:
    """Whether arguments are an object with the schema's required properties and no unknown ones."""
    known = set(schema.get("properties", {}))
    needed = set(schema.get("required", ()))
    return isinstance(arguments, dict) and needed <= set(arguments) <= known
