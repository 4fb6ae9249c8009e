"""How tools and their calls reach a model: real chat templates, and what they have no place for."""

from typing import Any

import pytest

import vocabularies
from convergio_mlx.answers.tool_calls import ToolCall, parse_tools
from convergio_mlx.answers.tool_formats import FORMATS, HERMES, ToolFormat, format_of
from convergio_mlx.answers.tool_prompt import default_prompt, notation_of, place
from convergio_mlx.text.chat_template import ChatTemplate
from convergio_mlx.text.tokenizer import Tokenizer

TEMPLATES = {path.stem: path for path in (vocabularies.DATA / "chat_templates").glob("*.jinja")}
WEATHER = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {}}},
}
TOOLS = parse_tools([WEATHER])
CALL = ToolCall("abcdefghi", "get_weather", '{"city": "Rome"}')
TALK: list[dict[str, Any]] = [
    {"role": "user", "content": "Rome?"},
    {"role": "assistant", "tool_calls": [CALL.message()]},
    {"role": "tool", "tool_call_id": CALL.id, "content": "rain"},
]
BARE = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"
NO_SYSTEM = (
    "{% for m in messages %}{% if m.role not in ('user', 'assistant') %}"
    "{{ raise_exception('no ' + m.role) }}{% endif %}[{{ m.role }}]{{ m.content }}{% endfor %}"
)
WRITTEN = {
    "Qwen2.5": ("hermes", '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Rome"}}\n'
                          "</tool_call>"),
    "Llama-3.1": ("llama3", '{"name": "get_weather", "parameters": {"city": "Rome"}}'),
    "Llama-3.2": ("llama3", '{"name": "get_weather", "parameters": {"city": "Rome"}}'),
    "Mistral": ("mistral", '[TOOL_CALLS][{"name": "get_weather", "arguments": {"city": "Rome"}'),
    "DeepSeek": ("deepseek", "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>"
                             'get_weather\n```json\n{"city": "Rome"}\n```<｜tool▁call▁end｜>'),
    "Phi-3.5": ("hermes", '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Rome"}}\n'
                          "</tool_call>"),
}  # fmt: skip


def tokenizer(source: str) -> Tokenizer:
    return Tokenizer(
        vocabularies.byte_level(),
        {"bos_token": "<s>", "eos_token": "</s>"},
        chat_templates={"default": source},
    )


def rendered(source: str, messages: list[dict[str, Any]], notation: ToolFormat) -> str:
    chat = ChatTemplate(source, {"bos_token": "<s>", "eos_token": "</s>"})
    return chat.render(*place(chat, messages, TOOLS, notation))


@pytest.mark.skipif(not TEMPLATES, reason="needs CONVERGIO_TEST_DATA")
@pytest.mark.parametrize("model", WRITTEN)
def test_real_templates(model: str) -> None:
    source = next(path for name, path in TEMPLATES.items() if model in name).read_text()
    name, written = WRITTEN[model]
    notation = format_of(tokenizer(source))
    assert notation.name == name
    text = rendered(source, TALK, notation)
    assert text.count("get_weather") >= 2, "the tool and its call"
    assert written in text
    assert "rain" in text
    fitted = notation_of(tokenizer(source))
    assert fitted.write([CALL]).partition(CALL.arguments)[0] == written.partition(CALL.arguments)[0]


def test_a_template_without_a_place_for_tools() -> None:
    prompt = default_prompt(TOOLS, HERMES)
    call = HERMES.write([CALL])
    assert rendered(BARE, TALK, HERMES) == (
        f"[system]{prompt}[user]Rome?[assistant]{call}[user]<tool_response>\nrain\n</tool_response>"
    )
    system = {"role": "system", "content": "Be short."}
    assert rendered(BARE, [system, *TALK[:1]], HERMES) == (
        f"[system]Be short.\n\n{prompt}[user]Rome?"
    )


def test_a_template_without_a_system_message() -> None:
    assert rendered(NO_SYSTEM, TALK[:1], HERMES) == (
        f"[user]Rome?\n\n{default_prompt(TOOLS, HERMES)}"
    )


def test_results_of_several_calls_are_one_message() -> None:
    said = {"role": "assistant", "content": "Wait.", "tool_calls": [CALL.message()] * 2}
    results = [{"role": "tool", "tool_call_id": CALL.id, "content": text} for text in "ab"]
    assert rendered(BARE, [TALK[0], said, *results], HERMES).endswith(
        f"[assistant]Wait.\n{HERMES.write([CALL, CALL])}[user]<tool_response>\na\n</tool_response>"
        "\n<tool_response>\nb\n</tool_response>"
    )


@pytest.mark.parametrize("notation", FORMATS, ids=lambda known: known.name)
def test_the_default_prompt_shows_a_call(notation: ToolFormat) -> None:
    prompt = default_prompt(TOOLS, notation)
    assert '{"name": "get_weather", "parameters": {"type": "object", "properties": {}}}' in prompt
    assert prompt.endswith(notation.write([ToolCall("", "<name>", '{"<argument>": <value>}')]))


def test_the_embedded_model_writes_calls_without_space() -> None:
    guide = Tokenizer.from_folder(vocabularies.GUIDE)
    assert notation_of(guide).write([CALL]) == (
        '<tool_call>{"name": "get_weather", "arguments": {"city": "Rome"}}</tool_call>'
    )
