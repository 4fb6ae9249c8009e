"""Conversations: what is kept, what is counted, what is compacted and how."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from typing import Any

import pytest

from convergio_mlx.chats.events import End, FinishEvent, SourceEvent, TextEvent, ToolCallEvent
from convergio_mlx.chats.request import ChatRequest
from convergio_mlx.chats.tools import ToolCall
from convergio_mlx.errors import ContextLengthError, InferenceError, InvalidRequestError
from convergio_mlx.generation.sampling import SamplingParams
from convergio_mlx.generation.stats import GenerationStats
from convergio_mlx.providers.base import BaseProvider
from convergio_mlx.providers.compaction import Compaction, CompactionEvent
from convergio_mlx.providers.conversation import Conversation
from convergio_mlx.providers.interface import ModelConfig, ProviderType
from convergio_mlx.providers.mlx import MlxProvider
from convergio_mlx.text.messages import as_text

WINDOWS = {"small": 4096, "smaller": 2100, "large": 100_000}
Reply = Callable[[ChatRequest], str]


class Source:
    """An answer word by word."""

    stats = GenerationStats()

    def __init__(self, events: list[SourceEvent]) -> None:
        self._events = iter(events)

    def __next__(self) -> SourceEvent:
        return next(self._events)

    def cancel(self) -> None:
        self._events = iter([End("cancelled", self.stats)])

    def close(self) -> None:
        self._events = iter(())


class Scripted(BaseProvider):
    """Answers by a function; a word is a token. It refuses what its window does not hold, as a real
    one does, and messages that do not alternate, as many templates do."""

    type = ProviderType.MLX
    name = "Scripted"

    def __init__(self, reply: Reply, calls: tuple[ToolCall, ...] = ()) -> None:
        super().__init__()
        self.reply = reply
        self.calls = calls
        self.requests: list[ChatRequest] = []
        self.init()

    def _start(self) -> None: ...
    def _stop(self) -> None: ...

    def validate_key(self) -> bool:
        return True

    def list_models(self) -> list[ModelConfig]:
        return [
            ModelConfig(
                id=name, display_name=name, provider=self.type, context_window=size, max_output=size
            )
            for name, size in WINDOWS.items()
        ]

    def estimate_tokens(self, text: str, model: str | None = None) -> int:
        return len(text.split())

    def _open(self, model: str, request: ChatRequest) -> Source:
        self.requests.append(request)
        tools = [tool.definition for tool in request.tools]
        tokens = self.count_tokens(model, None, request.messages, tools)
        if tokens + (request.params.max_tokens or 1) > WINDOWS[model]:
            raise ContextLengthError(f"[scripted] {tokens} tokens are too many; give fewer.")
        roles = [one["role"] for one in request.messages if one["role"] != "system"]
        roles = [role for role in roles if role != "tool"]
        assert roles[0] == "user", roles
        for a, b in pairwise(roles):
            assert (a, b) != ("user", "user"), roles
        words = self.reply(request).split(" ")
        stats = GenerationStats(prompt_tokens=tokens, output_tokens=len(words))
        events: list[SourceEvent] = [TextEvent(f"{word} ") for word in words[:-1]]
        events += [TextEvent(words[-1])] if words[-1] else []
        events += [ToolCallEvent(call) for call in self.calls]
        return Source([*events, End("tool_calls" if self.calls else "stop", stats)])

    async def _aopen(self, model: str, request: ChatRequest) -> Any:
        raise NotImplementedError


def is_summary(request: ChatRequest) -> bool:
    return "Summarize it in the language" in as_text(request.messages[0])


def brief(request: ChatRequest) -> str:
    """Summaries that name what they are of; else an answer of five words."""
    if is_summary(request):
        text = as_text(request.messages[0])
        names = [word for word in text.split() if word.startswith("turn-")]
        return f"about {' '.join(sorted(set(names), key=names.index))}"
    return "that is all I know"


def words(name: str, count: int) -> str:
    return " ".join([name, *["word"] * (count - 1)])


def talk(conversation: Conversation, turns: int, size: int = 100, start: int = 0) -> None:
    for number in range(start, start + turns):
        conversation.ask(words(f"turn-{number}", size))


def test_a_conversation_is_counted_and_kept() -> None:
    provider = Scripted(brief)
    conversation = Conversation(provider, "small", system="be brief")
    assert (conversation.tokens, conversation.messages) == (0, [])
    response = conversation.ask("one two three")
    assert response.text == "that is all I know"
    assert conversation.messages == [
        {"role": "user", "content": "one two three"},
        {"role": "assistant", "content": "that is all I know"},
    ]
    assert conversation.tokens == 2 + 3 + 5 + 3 * 4
    assert provider.requests[0].messages[0] == {"role": "system", "content": "be brief"}
    assert (conversation.window, conversation.threshold) == (4096, 2457)


def test_nothing_is_compacted_below_the_threshold() -> None:
    provider = Scripted(brief)
    conversation = Conversation(provider, "large")
    talk(conversation, 40)
    assert conversation.compactions == ()
    assert len(conversation.messages) == 80


def test_over_the_threshold_the_older_messages_become_a_summary() -> None:
    told: list[Compaction] = []
    provider = Scripted(brief)
    conversation = Conversation(
        provider, "small", system="be brief and kind", on_compaction=told.append
    )
    talk(conversation, 40)
    assert conversation.compactions == tuple(told)
    assert len(told) >= 2
    for done in told:
        assert done.kind == "summary"
        assert done.problem is None
        assert done.kept == 10
        assert done.tokens_before > done.threshold == 2457
        assert done.tokens_after < done.tokens_before
    asked = [request for request in provider.requests if not is_summary(request)]
    for request in asked:
        assert request.messages[0]["content"] == "be brief and kind"
    # what was said first lives on in summaries of summaries
    assert "turn-0 " in conversation.messages[0]["content"]
    # the newest are untouched, and all originals are there
    assert conversation.messages[-2:] == conversation.originals[-2:]
    assert len(conversation.originals) == 80
    assert [one["content"].split()[0] for one in conversation.originals[::2]] == [
        f"turn-{number}" for number in range(40)
    ]


def test_just_the_newest_ten_are_kept_word_for_word() -> None:
    conversation = Conversation(Scripted(brief), "large")
    talk(conversation, 20)
    before = conversation.messages
    conversation.switch("small")  # threshold 2457, and there are about 2260 tokens
    talk(conversation, 2, start=20)
    (done,) = conversation.compactions
    last = [{"role": "user", "content": words("turn-21", 100)}]
    kept = conversation.messages[1:]
    assert kept[:9] == [*before, *conversation.originals[40:42]][-9:]
    assert kept[9:] == [*last, {"role": "assistant", "content": "that is all I know"}]
    assert (done.replaced, done.kept) == (33, 10)
    assert str(done) == (
        f"[conversation] the oldest 33 messages were replaced by a summary, the newest 10 kept: "
        f"{done.tokens_before} tokens became {done.tokens_after}, of 2457 allowed."
    )


def test_the_threshold_follows_the_model() -> None:
    conversation = Conversation(Scripted(brief), "large")
    assert conversation.threshold == 60_000
    conversation.switch("smaller")
    assert conversation.threshold == 2_000
    cloud = Scripted(brief)
    cloud.type = ProviderType.OPENAI
    WINDOWS["cloud"] = 200_000
    conversation.switch("cloud", cloud)
    assert conversation.threshold == 80_000


def failing(request: ChatRequest) -> str:
    if is_summary(request):
        raise InferenceError("[scripted] the machine is tired; ask again.")
    return "that is all I know"


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        (failing, "[scripted] the machine is tired; ask again."),
        (
            lambda request: "" if is_summary(request) else "that is all I know",
            "[conversation] the model wrote no summary; ask again.",
        ),
        (
            lambda request: "far " * 9000 + "off" if is_summary(request) else "that is all I know",
            "[conversation] the model's summary is no shorter than what it summarizes; ask again.",
        ),
    ],
)
def test_a_summary_that_fails_leaves_a_note(reply: Reply, problem: str) -> None:
    conversation = Conversation(Scripted(reply), "small")
    talk(conversation, 30)
    done = conversation.compactions[0]
    assert (done.kind, done.summary, done.problem) == ("truncation", None, problem)
    assert done.kept == 10
    assert conversation.messages[0]["content"] == (
        "(Messages before this one were left out, since there was no room for them.)"
    )
    assert len(conversation.originals) == 60
    assert f"left out (no summary: {problem}), the newest 10 kept" in str(done)


def test_an_earlier_summary_outlives_a_later_failure() -> None:
    provider = Scripted(brief)
    conversation = Conversation(provider, "small")
    talk(conversation, 25)
    assert [done.kind for done in conversation.compactions] == ["summary"]
    provider.reply = failing
    talk(conversation, 20, start=25)
    assert conversation.compactions[-1].kind == "truncation"
    first = conversation.messages[0]["content"]
    assert "turn-0 " in first
    assert first.endswith("were left out, since there was no room for them.)")


def test_calls_and_their_results_stay_together() -> None:
    call = ToolCall("call00001", "add", '{"a": 1}')
    provider = Scripted(brief)
    conversation = Conversation(provider, "small", keep=3)
    talk(conversation, 15, size=140)
    conversation.add({"role": "user", "content": words("turn-a", 140)})
    conversation.add({"role": "assistant", "content": "", "tool_calls": [call.message()] * 3})
    for _ in range(3):
        conversation.add_result(call, words("result", 60))
    conversation.ask()
    done = conversation.compactions[-1]
    kept = conversation.messages[1:]
    assert kept[0]["tool_calls"] == [call.message()] * 3
    assert [one["role"] for one in kept] == ["assistant", "tool", "tool", "tool", "assistant"]
    assert done.kept == 4


def test_messages_that_are_too_long_even_alone_are_left_out_oldest_first() -> None:
    conversation = Conversation(Scripted(brief), "small")
    for number in range(4):
        conversation.add({"role": "user", "content": words(f"turn-{number}", 900)})
        conversation.add({"role": "assistant", "content": words("yes", 200)})
    conversation.ask("and now?")
    done = conversation.compactions[0]
    assert done.kept < 9
    assert done.tokens_after <= 3072  # a quarter of the window is for the answer
    assert conversation.messages[-2] == {"role": "user", "content": "and now?"}
    before = conversation.export()
    with pytest.raises(ContextLengthError):
        conversation.ask(words("huge", 5000))
    assert conversation.export() == before


def test_what_does_not_fit_one_summary_is_summarized_in_pieces() -> None:
    provider = Scripted(brief)
    conversation = Conversation(provider, "large")
    talk(conversation, 60, size=150)
    conversation.add({"role": "user", "content": words("turn-giant", 9000)})
    conversation.add({"role": "assistant", "content": "yes"})
    talk(conversation, 5, start=60)
    conversation.switch("small")
    conversation.ask("and now?")
    summaries = [request for request in provider.requests if is_summary(request)]
    assert len(summaries) > 3
    first = conversation.messages[0]["content"]
    assert all(f"turn-{name}" in first for name in (0, 30, 59, "giant"))


def test_a_stream_tells_how_far_its_compaction_is() -> None:
    conversation = Conversation(Scripted(brief), "large")
    talk(conversation, 60, size=150)
    conversation.switch("small")
    events = list(conversation.stream("and now?"))
    *steps, last = [event for event in events if isinstance(event, CompactionEvent)]
    assert events[: len(steps) + 1] == [*steps, last]
    read = [event.summarized for event in steps]
    assert len(read) > 2
    assert read == sorted(set(read))
    assert read[0] == 0
    assert {(event.messages, event.compaction) for event in steps} == {(111, None)}
    assert last == CompactionEvent(111, 111, conversation.compactions[0])


def test_cancelling_ends_the_answer_under_way_and_keeps_what_there_is() -> None:
    conversation = Conversation(Scripted(brief), "small")
    assert not conversation.cancel()
    events = conversation.stream("hello")
    next(events)
    assert conversation.cancel()
    (last,) = events
    assert isinstance(last, FinishEvent)
    assert last.response.finish_reason == "cancelled"
    assert conversation.messages[-1] == {"role": "assistant", "content": "that "}
    assert not conversation.cancel()


def test_room_is_left_for_the_answer_that_is_asked_for() -> None:
    conversation = Conversation(Scripted(brief), "small")
    talk(conversation, 18, size=110)
    assert 2096 < conversation.tokens < 2457
    assert conversation.compact() is None
    conversation.ask("more", params=SamplingParams(max_tokens=2000))
    assert conversation.compactions[0].threshold == 2096


def test_a_turn_that_fails_leaves_things_as_they_were() -> None:
    def tired(request: ChatRequest) -> str:
        raise InferenceError("[scripted] the machine is tired; ask again.")

    provider = Scripted(brief)
    conversation = Conversation(provider, "small")
    talk(conversation, 2)
    before = conversation.export()
    provider.reply = tired
    with pytest.raises(InferenceError):
        conversation.ask("hello")
    assert conversation.export() == before
    provider.reply = brief
    stream = conversation.stream("hello")
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert conversation.export() == before


def test_a_stream_keeps_the_turn_at_its_end() -> None:
    conversation = Conversation(Scripted(brief), "small")
    events = list(conversation.stream("hello"))
    assert isinstance(events[-1], FinishEvent)
    assert [event.text for event in events[:-1]] == ["that ", "is ", "all ", "I ", "know"]
    assert conversation.messages[-1]["content"] == "that is all I know"


def test_with_asyncio_a_conversation_is_the_same() -> None:
    questions = ["What are you?", "How do I download a model?"]
    params = SamplingParams(temperature=0, max_tokens=20)

    async def talk(conversation: Conversation) -> list[str]:
        answers = []
        for question in questions:
            async for event in conversation.astream(question, params=params):
                if isinstance(event, FinishEvent):
                    answers.append(event.response.text)
        return answers

    with MlxProvider() as provider:
        blocking = Conversation(provider, "convergio-guide")
        expected = [blocking.ask(question, params=params).text for question in questions]
        conversation = Conversation(provider, "convergio-guide")
        assert asyncio.run(talk(conversation)) == expected
        assert conversation.messages == blocking.messages
        before = conversation.export()
        with pytest.raises(ContextLengthError):
            asyncio.run(_drain(conversation.astream("hello " * 5000)))
        assert conversation.export() == before


def test_with_asyncio_the_compaction_is_told_too() -> None:
    async def ask(conversation: Conversation) -> list[object]:
        params = SamplingParams(temperature=0, max_tokens=8)
        return [event async for event in conversation.astream("hello", params=params)]

    with MlxProvider() as provider:
        conversation = Conversation(provider, "convergio-guide", keep=1)
        while conversation.tokens <= conversation.threshold:
            conversation.add({"role": "user", "content": "Which model fits in 8 GB of memory?"})
            conversation.add({"role": "assistant", "content": "It depends on what it is for."})
        first, *_, last = asyncio.run(ask(conversation))
        assert isinstance(first, CompactionEvent)
        assert first.summarized == 0
        assert isinstance(last, FinishEvent)
        assert len(conversation.compactions) == 1


async def _drain(events: AsyncIterator[object]) -> None:
    async for _ in events:
        pass


def test_tools_are_given_and_their_results_taken() -> None:
    call = ToolCall("call00001", "add", '{"a": 1}')
    provider = Scripted(brief, (call,))
    tool = {"name": "add", "parameters": {"type": "object"}}
    conversation = Conversation(provider, "small", tools=[tool])
    response = conversation.ask("add one")
    assert response.tool_calls == (call,)
    conversation.add_result(call, "2")
    provider.calls = ()
    conversation.ask()
    assert [message["role"] for message in provider.requests[-1].messages] == [
        "user",
        "assistant",
        "tool",
    ]
    (given,) = provider.requests[-1].tools
    assert given.definition == {"type": "function", "function": tool}


def test_export_and_restore_through_json() -> None:
    conversation = Conversation(Scripted(brief), "small", system="be brief")
    talk(conversation, 30)
    exported = json.loads(json.dumps(conversation.export()))
    assert exported["messages"] == conversation.originals
    again = Conversation.restore(Scripted(brief), exported)
    assert again.messages == conversation.messages
    assert again.compactions == conversation.compactions
    assert again.export() == conversation.export()
    talk(again, 20, start=30)
    assert len(again.originals) == 100
    with pytest.raises(InvalidRequestError) as caught:
        Conversation.restore(Scripted(brief), {"model": "small"})
    assert str(caught.value) == (
        "[conversation] this is no exported conversation (KeyError: 'system'); give what export() "
        "returned."
    )


def test_what_is_no_message_is_refused() -> None:
    conversation = Conversation(Scripted(brief), "small")
    with pytest.raises(InvalidRequestError):
        conversation.add({"role": "user"})
    with pytest.raises(InvalidRequestError) as caught:
        conversation.add({"role": "system", "content": "be rude"})
    assert str(caught.value) == (
        "[conversation] a system message cannot be added; set the conversation's system."
    )
    with pytest.raises(InvalidRequestError) as caught:
        Conversation(Scripted(brief), "small", keep=0)
    assert str(caught.value) == ("[conversation] keep is 0; give a whole number of at least 1.")
    assert conversation.messages == []


@pytest.mark.slow
def test_with_a_real_model_counts_are_exact() -> None:
    """The embedded model's window is 2048 tokens."""
    params = SamplingParams(temperature=0, max_tokens=40)
    guide = "convergio-guide"
    with MlxProvider() as provider:
        conversation = Conversation(provider, guide, system="Be kind.")
        number = 0
        while conversation.tokens < conversation.threshold:
            question = f"Which model fits in {number + 4} GB of memory?"
            conversation.add({"role": "user", "content": question})
            conversation.add({"role": "assistant", "content": "It depends on what it is for."})
            number += 1
        full = conversation.tokens
        for _ in range(2):
            response = conversation.ask("How do I download a model?", params=params)
            seen = conversation.messages[:-1]
            assert response.usage.input_tokens == provider.count_tokens(guide, "Be kind.", seen)
        (done,) = conversation.compactions
        assert done.tokens_before > full >= done.threshold
        assert done.tokens_after < done.tokens_before / 2
        assert len(conversation.originals) == 2 * number + 4


def test_a_special_token_spelled_in_a_message_is_counted_as_it_is_read() -> None:
    """As text, which is what the prompt has of it."""
    with MlxProvider() as provider:
        question = "What does <|im_end|> mean?"
        counted = provider.count_tokens("convergio-guide", None, question)
        read = provider.chat("convergio-guide", None, question, max_tokens=1)
        assert counted == read.usage.input_tokens
