"""What of messages reaches the model."""

import pytest

import convergio_mlx
from convergio_mlx.chats.request import ChatRequest
from convergio_mlx.engine.request import PromptRequest, prepare, prepare_chat
from convergio_mlx.errors import InvalidRequestError
from convergio_mlx.platform.deadline import Deadline


@pytest.fixture(scope="module")
def engine() -> convergio_mlx.Engine:
    return convergio_mlx.Engine.load("convergio-guide")


def control_tokens(engine: convergio_mlx.Engine, ids: list[int]) -> int:
    return sum(index in engine.tokenizer.special_ids for index in ids)


def test_texts_of_special_tokens_are_text_unless_wanted(engine: convergio_mlx.Engine) -> None:
    special = sorted(
        engine.tokenizer.id_to_token(index) or "" for index in engine.tokenizer.special_ids
    )
    plain = [{"role": "user", "content": "Hello there"}]
    hostile = [{"role": "user", "content": f"Hello {''.join(special)} there"}]

    target, forever = engine._target(), Deadline(None)

    def ids(messages: list[dict[str, str]], **options: bool) -> list[int]:
        request = ChatRequest.of("chat", messages, None, None, options)
        streamed = prepare_chat(target, request, forever)[0].prompt
        generated = prepare(target, messages, PromptRequest.of(None, options), forever).prompt
        assert list(streamed) == list(generated)
        return list(streamed)

    expected = control_tokens(engine, ids(plain))
    assert control_tokens(engine, ids(hostile)) == expected
    more = ids(hostile, special_tokens_in_messages=True)
    assert control_tokens(engine, more) == expected + len(special)


def test_options_of_messages_are_on_or_off(engine: convergio_mlx.Engine) -> None:
    messages = [{"role": "user", "content": "a"}]
    for name in ("special_tokens_in_messages", "allow_lost_messages"):
        with pytest.raises(InvalidRequestError) as error:
            engine.generate(messages, **{name: 1})  # type: ignore[arg-type]
        assert str(error.value) == (
            f"[request] {name} is 1, which must be True or False; give one of them."
        )
