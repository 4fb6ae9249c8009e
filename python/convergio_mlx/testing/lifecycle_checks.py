"""Who a provider is, what it offers, and when it serves."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from convergio_mlx.errors import ErrorCode, ProviderErrorInfo
from convergio_mlx.providers.interface import CostTier, Provider, ProviderType
from convergio_mlx.testing.subject import Subject, expect, expect_error, expect_fine, expect_last


def it_says_who_it_is(subject: Subject) -> None:
    """It has the interface's members, and those of its identity are of their types."""
    provider = subject.create()
    expect(isinstance(provider, Provider), f"{provider!r} lacks members of Provider")
    expect(isinstance(provider.type, ProviderType), f"type is {provider.type!r}")
    expect(isinstance(provider.name, str) and provider.name, f"name is {provider.name!r}")
    for member in ("api_key_env", "base_url"):
        value = getattr(provider, member)
        expect(value is None or (isinstance(value, str) and value), f"{member} is {value!r}")
    expect(provider.initialized is False, "it is initialized before init()")
    expect(provider.last_error == ProviderErrorInfo(), f"last_error is {provider.last_error}")


def init_and_shutdown_may_be_repeated(subject: Subject) -> None:
    """init and shutdown are idempotent, and init makes it ready again after shutdown."""
    provider = subject.create()
    provider.shutdown()
    for _ in range(2):
        provider.init()
        provider.init()
        expect(provider.initialized, "it is not initialized after init()")
        expect_fine(provider, subject)
        provider.shutdown()
        provider.shutdown()
        expect(not provider.initialized, "it is initialized after shutdown()")


def it_serves_between_init_and_shutdown_alone(subject: Subject) -> None:
    """Before init and after shutdown every way to ask ends with not_initialized."""
    provider = subject.create()
    question = subject.questions[0]

    async def ask() -> object:
        return await provider.astream(subject.model, None, question).response()

    for _ in range(2):
        for call in (
            lambda: provider.chat(subject.model, None, question),
            lambda: provider.chat_with_tools(subject.model, None, question, [subject.tool]),
            lambda: provider.stream(subject.model, None, question).response(),
        ):
            expect_last(provider, expect_error(ErrorCode.NOT_INITIALIZED, call))
        expect_error(ErrorCode.NOT_INITIALIZED, lambda: asyncio.run(ask()))
        provider.init()
        expect_fine(provider, subject)
        provider.shutdown()


def its_key_is_valid(subject: Subject) -> None:
    """validate_key is True where it can serve."""
    with subject.provider() as provider:
        expect(provider.validate_key() is True, "validate_key() is not True")


def its_models_are_described(subject: Subject) -> None:
    """list_models has each model once, soundly described, the subject's among them."""
    with subject.provider() as provider:
        models = provider.list_models()
        ids = [model.id for model in models]
        expect(len(set(ids)) == len(ids), f"list_models has an id twice: {ids}")
        expect(subject.model in ids, f"{subject.model} is not among {ids}")
        for model in models:
            sound = (
                model.provider == provider.type
                and bool(model.display_name)
                and 0 < model.max_output <= model.context_window
                and min(model.input_cost, model.output_cost) >= 0
                and model.tier in CostTier
            )
            expect(sound, f"{model!r} is not sound")
        window = provider.usable_window(subject.model)
        whole = next(model for model in models if model.id == subject.model).context_window
        expect(0 < window <= whole, f"usable_window is {window}, of {whole}")


def it_counts_tokens(subject: Subject) -> None:
    """Nothing has no tokens, more text has more, and a prompt more than its text."""
    with subject.provider() as provider:
        text = subject.questions[0]
        for model in (subject.model, None):
            counts = [provider.estimate_tokens(text * times, model) for times in (0, 1, 2, 8)]
            grows = all(a < b for a, b in pairwise(counts))
            expect(counts[0] == 0 and grows, f"estimate_tokens gives {counts}")
        alone = provider.count_tokens(subject.model, None, text)
        expect(alone >= provider.estimate_tokens(text, subject.model), f"count_tokens: {alone}")
        more = provider.count_tokens(subject.model, "Be brief.", text, [subject.tool])
        expect(more > alone, f"count_tokens is {more} with system and tools, {alone} without")


CHECKS = (
    it_says_who_it_is,
    init_and_shutdown_may_be_repeated,
    it_serves_between_init_and_shutdown_alone,
    its_key_is_valid,
    its_models_are_described,
    it_counts_tokens,
)
