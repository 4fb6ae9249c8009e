"""Reasoning: found by a model's marks, split off, kept out of the next turn, held to a budget."""

import sys
from pathlib import Path

import pytest

from convergio_mlx import Engine, SamplingParams
from convergio_mlx.chats import planning
from convergio_mlx.chats.events import ReasoningEvent
from convergio_mlx.chats.reasoning import KNOWN, Splitter, begins_inside, marks_of
from convergio_mlx.chats.request import ChatRequest
from convergio_mlx.chats.response import ChatResponse
from convergio_mlx.errors import InvalidRequestError
from convergio_mlx.text.tokenizer import Tokenizer

sys.path.insert(0, str(Path(__file__).parents[1] / "structured"))
from random_models import BY_NAME, bias, make_folder

import vocabularies

THINK = KNOWN[0]
ASK = [{"role": "user", "content": "?"}]
R1 = vocabularies.DATA / "chat_templates" / "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B.jinja"


@pytest.fixture(scope="module")
def thinker(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    folder = tmp_path_factory.mktemp("models") / "thinker"
    return Engine.load(make_folder(folder, BY_NAME["hermes"], reasons=True))


def split(text: str, inside: bool = False) -> list[tuple[str, str]]:
    """The pieces of a text, adjoining ones of a kind put together."""
    splitter = Splitter(THINK, inside)
    out: list[tuple[str, str]] = []
    for kind, piece in [*splitter.feed(text), *splitter.finish()]:
        joined = out and out[-1][0] == kind
        out[-1:] = [(kind, out[-1][1] + piece)] if joined else [*out[-1:], (kind, piece)]
    return out


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Hello", [("text", "Hello")]),
        ("<think>Hm.</think>Hello", [("reasoning", "Hm."), ("text", "Hello")]),
        ("\n<think>\n\nHm.\n</think>\n\nHello\n", [("reasoning", "Hm."), ("text", "Hello\n")]),
        ("<think>\n\n</think>\n\nHello", [("text", "Hello")]),
        ("<think>Hm. </thi", [("reasoning", "Hm. </thi")]),
        ("Hello <think>Hm.</think>", [("text", "Hello <think>Hm.</think>")]),
        ("<thin", [("text", "<thin")]),
    ],
)
def test_split(text: str, pieces: list[tuple[str, str]]) -> None:
    assert split(text) == pieces


def test_split_where_the_prompt_has_begun_to_think() -> None:
    assert split("Hm.\n</think>\nHello", inside=True) == [("reasoning", "Hm."), ("text", "Hello")]


@pytest.mark.skipif(not R1.exists(), reason="needs CONVERGIO_TEST_DATA")
def test_r1_begins_inside_where_its_template_opens() -> None:
    backend = Tokenizer.from_folder(vocabularies.FOLDERS["deepseek-r1-qwen"])
    backend.chat_templates = {"default": R1.read_text()}
    assert marks_of(backend) == THINK
    chat = backend.chat_template()
    for enabled in (True, False):
        prompt = backend.encode(
            chat.render(ASK, chat_template_kwargs={"enable_thinking": enabled}),
            add_special_tokens=False,
        )
        assert begins_inside(backend, prompt, THINK) == enabled


@pytest.mark.skipif(not R1.exists(), reason="needs CONVERGIO_TEST_DATA")
def test_the_next_turn_of_r1_has_no_reasoning() -> None:
    backend = Tokenizer.from_folder(vocabularies.FOLDERS["deepseek-r1-qwen"])
    backend.chat_templates = {"default": R1.read_text()}
    turn = {"role": "assistant", "content": "Hello", "reasoning_content": "SECRET"}
    plan = planning.plan(backend, ChatRequest.of("plan", [*ASK, turn, *ASK]))
    text = backend.chat_template().render(plan.messages)
    assert "Hello" in text
    assert "SECRET" not in text


def test_an_answers_message_has_its_reasoning_beside_the_text(thinker: Engine) -> None:
    answer = _answer(thinker, 1, towards=("<think>", "</think>", "</s>"))
    assert answer.reasoning
    assert answer.message() == {
        "role": "assistant",
        "content": answer.text,
        "reasoning_content": answer.reasoning,
    }


def _answer(
    engine: Engine, seed: int, towards: tuple[str, ...], by: float = 9.0, **options: object
) -> ChatResponse:
    params = SamplingParams(
        temperature=1.0, seed=seed, max_tokens=300, logit_bias=bias(engine, towards, by)
    )
    return engine.stream(ASK, params, **options).response()  # type: ignore[arg-type]


@pytest.mark.parametrize("budget", [0, 1, 7, 40])
def test_a_budget_ends_reasoning(thinker: Engine, budget: int) -> None:
    opening = {"opening": "<think>\n"}
    params = SamplingParams(
        temperature=1.0, seed=3, max_tokens=100, logit_bias=bias(thinker, ["</think>"], -100.0)
    )
    stream = thinker.stream(ASK, params, reasoning_budget=budget, chat_template_kwargs=opening)
    answer = stream.response()
    ids = list(answer.token_ids)
    end = thinker.tokenizer.token_to_id("</think>")
    assert end in ids, "the mark is forced although the model never writes it"
    assert ids.index(end) == budget + 1, "after a new line"
    assert bool(answer.reasoning) == (budget > 0)
    assert answer.text


def test_reasoning_within_its_budget_is_left_alone(thinker: Engine) -> None:
    towards = ("<think>", "</think>", "</s>")
    free = _answer(thinker, 1, towards)
    held = _answer(thinker, 1, towards, reasoning_budget=250)
    assert free.reasoning
    assert held.token_ids == free.token_ids


def test_a_budget_and_a_form(thinker: Engine) -> None:
    form = {"type": "regex", "regex": "[a-f]{5}é"}
    for seed in range(6):
        params = SamplingParams(temperature=1.0, seed=seed, max_tokens=300)
        stream = thinker.stream(
            ASK,
            params,
            reasoning_budget=20,
            response_format=form,
            chat_template_kwargs={"opening": "<think>\n"},
        )
        answer = stream.response()
        assert answer.finish_reason == "stop"
        assert len(answer.text) == 6
        assert set(answer.text[:5]) <= set("abcdef")
        assert answer.text[5] == "é"


def test_reasoning_streams(thinker: Engine) -> None:
    endless = bias(thinker, ["</think>", "</s>"], -100.0)
    params = SamplingParams(temperature=1.0, seed=3, max_tokens=400, logit_bias=endless)
    events = list(thinker.stream(ASK, params, chat_template_kwargs={"opening": "<think>\n"}))
    assert {type(event) for event in events[:-1]} == {ReasoningEvent}


def test_a_budget_for_a_model_that_does_not_reason(tmp_path: Path) -> None:
    with (
        Engine.load(make_folder(tmp_path / "model", BY_NAME["llama3"])) as plain,
        pytest.raises(InvalidRequestError) as caught,
    ):
        plain.stream(ASK, reasoning_budget=5)
    assert str(caught.value) == (
        "[reasoning] this model marks no reasoning, so it has no budget of it; leave "
        "reasoning_budget out."
    )


@pytest.mark.parametrize("budget", [-1, 1.5, True, "9"])
def test_a_budget_that_is_none(thinker: Engine, budget: object) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        thinker.stream(ASK, reasoning_budget=budget)  # type: ignore[arg-type]
    assert str(caught.value) == (
        f"[reasoning] reasoning_budget is {budget!r}, which must be a whole number of tokens, 0 or "
        "more; give None for no budget."
    )


def test_a_budget_ends_a_message_of_reasoning(tmp_path: Path) -> None:
    """gpt-oss reasons in a message of its own: the next one is begun for it."""
    with Engine.load(make_folder(tmp_path / "model", BY_NAME["harmony"])) as engine:
        spoken = 0
        for seed in range(40):
            answer = engine.stream(
                ASK,
                SamplingParams(
                    temperature=1.0,
                    seed=seed,
                    max_tokens=400,
                    logit_bias=bias(engine, ["</s>", "<|channel|>"], 3.0),
                ),
                tools=[{"name": "f"}],
                tool_choice="required",
                reasoning_budget=6,
            ).response()
            if answer.reasoning:
                spoken += 1
                assert len(answer.reasoning) < 60
                assert "<|" not in answer.reasoning + answer.text
        assert spoken


@pytest.mark.parametrize("name", ["harmony", "muse", "solar"])
def test_headers_are_told_from_text_without_tools_too(name: str, tmp_path: Path) -> None:
    """The marks of a header are special tokens, and needed to know it."""
    ended, spoken = 0, 0
    with Engine.load(make_folder(tmp_path / "model", BY_NAME[name])) as engine:
        for seed in range(20):
            params = SamplingParams(temperature=1.0, seed=seed, max_tokens=400)
            form = {"type": "regex", "regex": "[a-f]{5}"}
            answer = engine.stream(ASK, params, response_format=form).response()
            assert set(answer.text) <= set("abcdef")
            assert "<|" not in answer.reasoning
            ended += len(answer.text) == 5
            spoken += bool(answer.reasoning)
    assert ended
    assert spoken
