"""Many chats at once, with the local provider."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from convergio_mlx import ChatCompletion, MlxProvider
from convergio_mlx.errors import InvalidRequestError, ModelNotFoundError, NotInitializedError

GUIDE = "convergio-guide"
QUESTIONS = ["How do I download a model?", "Which model fits in 8 GB of memory?", "What is /help?"]


def gathered(local: MlxProvider, *given: Any, **options: Any) -> list[ChatCompletion]:
    async def gather() -> list[ChatCompletion]:
        return [one async for one in local.achat_many(*given, **options)]

    return asyncio.run(gather())


def listed(local: MlxProvider, *given: Any, **options: Any) -> list[ChatCompletion]:
    return list(local.chat_many(*given, **options))


@pytest.mark.parametrize("many", [listed, gathered])
def test_chats_are_answered_as_alone(many: Any) -> None:
    wrong: list[Any] = [5]
    with MlxProvider() as local:
        found = many(local, GUIDE, "Be brief.", [*QUESTIONS, wrong], ordered=True, temperature=0)
        alone = [local.chat(GUIDE, "Be brief.", one, temperature=0) for one in QUESTIONS]
        assert [one.response.text for one in found[:3]] == [one.text for one in alone]
        assert [one.index for one in found] == [0, 1, 2, 3]
        assert found[3].response is None
        assert isinstance(found[3].error, InvalidRequestError)
        assert [one.uses for one in local.loaded()] == [0]
    with pytest.raises(TypeError):
        many(local, GUIDE, None, [], n=2)


def test_the_model_is_loaded_once_and_held() -> None:
    with MlxProvider() as local:
        with pytest.raises(ModelNotFoundError):
            local.chat_many("no-such-model", None, QUESTIONS)
        batch = local.chat_many(GUIDE, None, QUESTIONS, ahead=1, max_tokens=3)
        next(batch)
        assert [one.uses for one in local.loaded()] == [1]
        batch.close()
        assert [one.uses for one in local.loaded()] == [0]
    with pytest.raises(NotInitializedError):
        local.chat_many(GUIDE, None, QUESTIONS)


def nothing_to_do() -> None:
    """Does nothing."""


@pytest.mark.parametrize("many", [listed, gathered])
@pytest.mark.parametrize(
    "options",
    [
        {"temperature": "warm"},
        {"params": 5},
        {"tools": [5]},
        {"tools": [nothing_to_do, nothing_to_do]},
        {"tool_choice": "required"},
        {"response_format": bytes},
        {"timeout": -1},
        {"reasoning_budget": 1.5},
    ],
)
def test_what_is_wrong_with_all_is_raised(many: Any, options: dict[str, Any]) -> None:
    with MlxProvider() as local, pytest.raises(InvalidRequestError):
        many(local, GUIDE, None, QUESTIONS, **options)


def test_a_system_text_that_is_none_and_tools_to_run_are_raised() -> None:
    with MlxProvider() as local:
        with pytest.raises(InvalidRequestError, match=r"^\[request\] system is of type int"):
            local.chat_many(GUIDE, 5, QUESTIONS)  # type: ignore[arg-type]
        with pytest.raises(InvalidRequestError, match=r"use achat_many, or ask each chat"):
            local.chat_many(GUIDE, None, QUESTIONS, tools=[nothing_to_do], run_tools=True)
        assert local.loaded() == []


def test_a_shutdown_ends_it() -> None:
    local = MlxProvider()
    local.init()
    batch = local.chat_many(GUIDE, None, QUESTIONS * 100, max_tokens=3, ahead=2)
    next(batch)
    local.shutdown()
    assert len(list(batch)) < 5
