"""What a conversation has said already is not computed again, and usage tells how much of it."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from convergio_mlx import ChatResponse, Conversation, MlxProvider, SamplingParams

GUIDE = "convergio-guide"
PARAMS = SamplingParams(temperature=0, max_tokens=20)
SYSTEM = "You answer questions about models, memory and downloads, briefly and to the point. " * 4


def test_a_second_turn_is_served_from_the_first(mlx: MlxProvider) -> None:
    talk = Conversation(mlx, GUIDE, system=SYSTEM)
    first = talk.ask("Which model fits in 8 GB of memory?", params=PARAMS).usage
    second = talk.ask("How do I download it?", params=PARAMS).usage
    assert second.cached_tokens > 0.8 * first.input_tokens
    assert second.cached_tokens < second.input_tokens


def test_a_system_text_is_shared_and_answers_are_the_same(mlx: MlxProvider) -> None:
    questions = ["Can you work offline?", "What are you?", "How do I delete a model?"]
    with MlxProvider() as fresh:
        alone = []
        for question in questions:
            alone.append(fresh.chat(GUIDE, SYSTEM, question, params=PARAMS).text)
            fresh.unload(GUIDE)

    async def ask(question: str) -> tuple[str, int]:
        response = await mlx.astream(GUIDE, SYSTEM, question, params=PARAMS).response()
        return response.text, response.usage.cached_tokens

    mlx.chat(GUIDE, SYSTEM, "hello", params=PARAMS)
    shared = [asyncio.run(ask(question)) for question in questions]
    assert [text for text, _ in shared] == alone
    assert all(cached > 50 for _, cached in shared)


def test_forks_share_what_was_said_and_go_on_alone(mlx: MlxProvider) -> None:
    talk = Conversation(mlx, GUIDE, system=SYSTEM)
    first = talk.ask("Which model fits in 8 GB of memory?", params=PARAMS).usage
    forks = [talk.fork() for _ in range(3)]
    questions = ["How do I download it?", "Can you work offline?", "How do I delete it?"]

    def ask(fork: Conversation, question: str) -> ChatResponse:
        return fork.ask(question, params=PARAMS)

    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(ask, forks, questions))
    assert all(one.usage.cached_tokens > 0.8 * first.input_tokens for one in answers)
    assert len(talk.messages) == 2
    for fork, question, one in zip(forks, questions, answers, strict=True):
        assert fork.messages[:2] == talk.messages
        assert fork.messages[2]["content"] == question
        with MlxProvider() as fresh:
            alone = fresh.chat(GUIDE, SYSTEM, fork.messages[:3], params=PARAMS)
        assert alone.text == one.text
    assert talk.ask("Thank you.", params=PARAMS).text is not None
    assert [len(fork.messages) for fork in forks] == [4, 4, 4]
