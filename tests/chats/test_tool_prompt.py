"""How tools and their calls reach a model: real chat templates, and what they have no place for."""

from typing import Any

import pytest

import vocabularies
from convergio_mlx.chats.tool_format import ToolFormat
from convergio_mlx.chats.tool_formats import FORMATS, HERMES, format_of
from convergio_mlx.chats.tool_prompt import default_prompt, format_for, place
from convergio_mlx.chats.tools import ToolCall, parse_tools
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


def rendered(source: str, messages: list[dict[str, Any]], tool_format: ToolFormat) -> str:
    chat = ChatTemplate(source, {"bos_token": "<s>", "eos_token": "</s>"})
    return chat.render(*place(chat, messages, TOOLS, tool_format))


@pytest.mark.skipif(not TEMPLATES, reason="needs CONVERGIO_TEST_DATA")
@pytest.mark.parametrize("model", WRITTEN)
def test_real_templates(model: str) -> None:
    source = next(path for name, path in TEMPLATES.items() if model in name).read_text()
    name, written = WRITTEN[model]
    tool_format = format_of(tokenizer(source))
    assert tool_format.name == name
    text = rendered(source, TALK, tool_format)
    assert text.count("get_weather") >= 2, "the tool and its call"
    assert written in text
    assert "rain" in text
    fitted = format_for(tokenizer(source))
    assert fitted.write([CALL]).partition(CALL.arguments)[0] == written.partition(CALL.arguments)[0]


XML = (
    "{% for t in tools or [] %}TOOL {{ t.function.name }}{% endfor %}{% for m in messages %}"
    "[{{ m.role }}]{{ m.content or '' }}{% for c in m.tool_calls or [] %}<tool_call>"
    "<call><{{ c.function.name }}/>{% for k, v in c.function.arguments.items() %}{{ k }}={{ v }}"
    "{% endfor %}</call>{% endfor %}{% endfor %}"
)


def test_a_format_that_is_not_known_is_replaced_by_one_that_is() -> None:
    """The model is told of tools in words, as if its template had no place for them."""
    tool_format = format_for(tokenizer(XML))
    assert tool_format == HERMES
    assert rendered(XML, TALK, tool_format) == (
        f"[system]{default_prompt(TOOLS, HERMES)}[user]Rome?[assistant]{HERMES.write([CALL])}"
        "[user]<tool_response>\nrain\n</tool_response>"
    )


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


@pytest.mark.parametrize("tool_format", FORMATS, ids=lambda known: known.name)
def test_the_default_prompt_shows_a_call(tool_format: ToolFormat) -> None:
    prompt = default_prompt(TOOLS, tool_format)
    assert '{"name": "get_weather", "parameters": {"type": "object", "properties": {}}}' in prompt
    assert prompt.endswith(tool_format.write([ToolCall("", "<name>", '{"<argument>": <value>}')]))


def test_the_embedded_model_writes_calls_without_space() -> None:
    guide = Tokenizer.from_folder(vocabularies.GUIDE)
    assert format_for(guide).write([CALL]) == (
        '<tool_call>{"name": "get_weather", "arguments": {"city": "Rome"}}</tool_call>'
    )


def test_kimi_s_ids_are_counted_through_the_conversation() -> None:
    kimi = next(known for known in FORMATS if known.name == "kimi")
    source = (
        "{% for m in messages %}{% for c in m.tool_calls or [] %}<|tool_call_begin|>{{ c.id }}"
        "<|tool_call_argument_begin|>{{ c.function.arguments | tojson }}<|tool_call_end|>"
        "{% endfor %}{% if m.role == 'tool' %}## Return of {{ m.tool_call_id }}"
        "{{ m.content }}{% elif m.content %}{{ m.content }}{% endif %}{% endfor %}"
    )
    own = ToolCall("functions.get_weather:7", "get_weather", "{}")
    talk = [
        *TALK,
        {"role": "assistant", "tool_calls": [own.message()]},
        {"role": "tool", "tool_call_id": own.id, "content": "sun"},
    ]
    text = rendered(source, talk, kimi)
    assert "<|tool_call_begin|>functions.get_weather:0<" in text
    assert "## Return of functions.get_weather:0rain" in text
    assert "## Return of functions.get_weather:7sun" in text


def test_a_template_that_insists_on_descriptions_gets_empty_ones() -> None:
    source = "{% for t in tools or [] %}{{ t.function.name + t.function.description }}{% endfor %}"
    _, tools = place(ChatTemplate(source + BARE), TALK[:1], TOOLS, HERMES)
    assert tools is not None
    assert tools[0]["function"]["description"] == ""
