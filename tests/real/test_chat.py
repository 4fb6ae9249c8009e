"""A real model in chats: facts, tools, response formats, and a conversation past its window."""

import json
from pathlib import Path

import jsonschema

from convergio_mlx import Conversation, Engine, MlxProvider, SamplingParams, ToolDefinition

GREEDY = SamplingParams(temperature=0, max_tokens=120)
WEATHER = ToolDefinition(
    "get_weather",
    "The current weather of a city.",
    {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "unit": {"enum": ["celsius", "fahrenheit"]},
            "days": {"type": "integer", "minimum": 1, "maximum": 9},
        },
        "required": ["city", "unit"],
        "additionalProperties": False,
    },
)


def test_it_knows_a_capital_and_ends_by_itself(real_engine: Engine) -> None:
    messages = [{"role": "user", "content": "What is the capital of France?"}]
    chunks = list(real_engine.generate(messages, GREEDY))
    assert "Paris" in "".join(chunk.text for chunk in chunks)
    assert chunks[-1].finish_reason == "stop"


def test_a_required_call_is_valid_at_any_temperature(
    real_provider: MlxProvider, real_model: Path
) -> None:
    for seed, temperature in enumerate((0.0, 0.8, 1.5)):
        response = real_provider.chat_with_tools(
            str(real_model),
            None,
            "What is the weather in Rome?",
            [WEATHER],
            tool_choice="required",
            parallel_tool_calls=False,
            params=SamplingParams(temperature=temperature, seed=seed, max_tokens=120),
        )
        (call,) = response.tool_calls
        assert call.name == "get_weather"
        jsonschema.validate(json.loads(call.arguments), WEATHER.parameters)


def test_a_response_format_holds_at_any_temperature(
    real_provider: MlxProvider, real_model: Path
) -> None:
    schema = {
        "type": "object",
        "properties": {
            "title": {"type": "string", "maxLength": 40},
            "year": {"type": "integer"},
            "tags": {"type": "array", "items": {"enum": ["drama", "war"]}, "maxItems": 3},
        },
        "required": ["title", "year", "tags"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "film", "schema": schema}}
    for seed, temperature in enumerate((0.0, 0.8, 1.5)):
        response = real_provider.chat(
            str(real_model),
            None,
            "Describe a film.",
            response_format=form,
            params=SamplingParams(temperature=temperature, seed=seed, max_tokens=200),
        )
        assert response.finish_reason == "stop"
        jsonschema.validate(json.loads(response.text), schema)


def test_a_conversation_past_the_window_is_compacted_and_continues(
    real_provider: MlxProvider, real_model: Path
) -> None:
    conversation = Conversation(real_provider, str(real_model), system="Be brief.")
    filler = "The harbour of Elm has two bridges and a mill that burned in spring. " * 90
    params = SamplingParams(temperature=0, max_tokens=24)
    for number in range(8):
        response = conversation.ask(f"Note {number}: {filler} What burned?", params=params)
        assert response.text
        assert conversation.tokens <= conversation.window
        if conversation.compactions:
            break
    assert conversation.compactions
    assert conversation.ask("What burned?", params=params).text
    assert conversation.originals[0]["content"].startswith("Note 0")
