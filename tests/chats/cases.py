# ruff: noqa: E501 (answers are data, one a line)
"""Answers of models with tools, in every tool-call format, and what they say."""

from dataclasses import dataclass
from typing import Any

from convergio_mlx.chats.tool_formats import FORMATS

BY_NAME = {known.name: known for known in FORMATS}
TOOLS: dict[str, dict[str, Any]] = {
    "get_weather": {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "days": {"type": "integer"},
            "sure": {"type": "boolean"},
            "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "tags": {"type": "array", "items": {"type": "string"}},
            "where": {"$ref": "#/$defs/place"},
        },
        "$defs": {"place": {"type": "object"}},
    },
    "add": {
        "type": "object",
        "properties": {"a": {"type": "number"}, "b": {"type": ["integer", "null"]}},
    },
    "now": {"type": "object", "properties": {}},
}
ROME = ("get_weather", '{"city": "Rome"}')
SUM = ("add", '{"a": 1, "b": -2.5e3}')
ODD = ("get_weather", '{"city": "São \\"P\\\\aulo\\" } </tool_call> 🌍 [x]"}')


@dataclass(frozen=True)
class Case:
    name: str
    tool_format: str
    answer: str
    text: str = ""
    calls: tuple[tuple[str, str], ...] = ()
    cut: tuple[str, str] | None = None
    """The call that is unfinished where the answer is cut at its end."""


def _deepseek(*calls: tuple[str, str]) -> str:
    written = "\n".join(
        f"<｜tool▁call▁begin｜>function<｜tool▁sep｜>{name}\n```json\n{arguments}\n```"
        "<｜tool▁call▁end｜>"
        for name, arguments in calls
    )
    return f"<｜tool▁calls▁begin｜>{written}<｜tool▁calls▁end｜>"


HERMES_ROME = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Rome"}}\n</tool_call>'
LLAMA_ROME = '{"name": "get_weather", "parameters": {"city": "Rome"}}'
XML_ROME = (
    "<tool_call>\n<function=get_weather>\n<parameter=city>\nRome\n</parameter>\n</function>\n"
    "</tool_call>"
)
LIST_ROME = '[{"name": "get_weather", "arguments": {"city": "Rome"}}]'
LIST_BOTH = (
    '[{"name": "get_weather", "arguments": {"city": "Rome"}}, '
    '{"name": "add", "arguments": {"a": 1, "b": -2.5e3}}]'
)

CASES = (
    Case("text alone", "hermes", "It rains in <b>Rome</b>.", "It rains in <b>Rome</b>."),
    Case("one call", "hermes", HERMES_ROME, calls=(ROME,)),
    Case("as the embedded model", "hermes",
         '<tool_call>{"name": "get_weather", "arguments": {"city": "Rome"}}</tool_call>',
         calls=(ROME,)),
    Case("text, then a call", "hermes", f"Let me see.\n{HERMES_ROME}", "Let me see.\n", (ROME,)),
    Case("two calls", "hermes",
         f'{HERMES_ROME}\n<tool_call>{{"name":"add","arguments":{SUM[1]}}}</tool_call>',
         calls=(ROME, SUM)),
    Case("text after a call", "hermes", f"{HERMES_ROME}\n Done.", "Done.", (ROME,)),
    Case("marks and brackets in a string", "hermes",
         f'<tool_call>{{"arguments": {ODD[1]}, "name": "get_weather"}}</tool_call>', calls=(ODD,)),
    Case("space before a call", "hermes", f"\n\n{HERMES_ROME}", calls=(ROME,)),
    Case("no closing mark", "hermes", HERMES_ROME.removesuffix("</tool_call>"), calls=(ROME,)),
    Case("arguments as a text", "hermes",
         '<tool_call>{"name": "get_weather", "arguments": "{\\"city\\": \\"Rome\\"}"}</tool_call>',
         calls=(ROME,)),
    Case("no arguments", "hermes", '<tool_call>{"name": "now"}</tool_call>', calls=(("now", "{}"),)),
    Case("nested as OpenAI", "hermes",
         '<tool_call>{"type": "function", "function": {"name": "get_weather", "arguments": '
         '{"city": "Rome"}}}</tool_call>', calls=(ROME,)),
    Case("a mark in prose", "hermes", "Write <tool_call> and </tool_call>.",
         "Write <tool_call> and </tool_call>."),
    Case("half a mark", "hermes", "a <tool_", "a <tool_"),
    Case("no JSON", "hermes", "<tool_call>{name: 1}</tool_call>", "<tool_call>{name: 1}</tool_call>"),
    Case("a brace too few", "hermes", '<tool_call>{"name": "add", "arguments": {}</tool_call> Oh.',
         '<tool_call>{"name": "add", "arguments": {}</tool_call> Oh.'),
    Case("a comma too many", "hermes", '<tool_call>{"name": "add", "arguments": {},}</tool_call>',
         '<tool_call>{"name": "add", "arguments": {},}</tool_call>'),
    Case("arguments that are no object", "hermes",
         '<tool_call>{"name": "add", "arguments": [1]}</tool_call>',
         '<tool_call>{"name": "add", "arguments": [1]}</tool_call>'),
    Case("no name", "hermes", '<tool_call>{"arguments": {}}</tool_call>',
         '<tool_call>{"arguments": {}}</tool_call>'),
    Case("a call after a malformed one", "hermes", f"<tool_call>{{<tool_call>x{HERMES_ROME}",
         "<tool_call>{<tool_call>x", (ROME,)),
    Case("ends amid a call", "hermes", 'Hm. <tool_call>{"name": "add", "arguments": {"a": 12',
         'Hm. <tool_call>{"name": "add", "arguments": {"a": 12', cut=("add", '{"a": 12')),
    Case("ends after a mark", "hermes", "<tool_call>", "<tool_call>", cut=("", "")),
    Case("one call", "llama3", LLAMA_ROME, calls=(ROME,)),
    Case("with its tag", "llama3", f"<|python_tag|>{LLAMA_ROME}<|eom_id|>", calls=(ROME,)),
    Case("text, then a tag", "llama3", f"Wait: <|python_tag|>{LLAMA_ROME}", "Wait: ", (ROME,)),
    Case("two calls", "llama3", f'{LLAMA_ROME}; {{"name": "add", "parameters": {SUM[1]}}}',
         calls=(ROME, SUM)),
    Case("JSON that is no call", "llama3", ' {"name": "Rome", "parameters": {}} is it',
         ' {"name": "Rome", "parameters": {}} is it'),
    Case("JSON in a text", "llama3", f"So: {LLAMA_ROME}", f"So: {LLAMA_ROME}"),
    Case("code", "llama3", "<|python_tag|>print('[1]')", "<|python_tag|>print('[1]')"),
    Case("ends amid a call", "llama3", '{"name": "add", "parameters": {"a"',
         '{"name": "add", "parameters": {"a"', cut=("add", '{"a"')),
    Case("ends amid JSON", "llama3", '{"answer": 4', '{"answer": 4'),
    Case("one call", "mistral", f"[TOOL_CALLS] {LIST_ROME}", calls=(ROME,)),
    Case("two calls", "mistral", f"[TOOL_CALLS]{LIST_BOTH}", calls=(ROME, SUM)),
    Case("text, then two calls", "mistral", f"Hm [1]. [TOOL_CALLS] {LIST_BOTH}", "Hm [1]. ",
         (ROME, SUM)),
    Case("name first", "mistral", f"[TOOL_CALLS]get_weather[ARGS]{ROME[1]}[TOOL_CALLS]add{SUM[1]}",
         calls=(ROME, SUM)),
    Case("no list", "mistral", "[TOOL_CALLS] {\"name\": 3}", "[TOOL_CALLS] {\"name\": 3}"),
    Case("an empty list", "mistral", "[TOOL_CALLS] [ ]", "[TOOL_CALLS] [ ]"),
    Case("malformed after a call", "mistral", f"[TOOL_CALLS]{LIST_ROME[:-1]}, {{3}}] x", ', {3}] x',
         (ROME,)),
    Case("ends amid the list", "mistral", f'[TOOL_CALLS]{LIST_ROME[:-1]}, {{"name": "a',
         ', {"name": "a', (ROME,), cut=("", "")),
    Case("one call", "deepseek", _deepseek(ROME), calls=(ROME,)),
    Case("two calls after text", "deepseek", f"Yes.\n{_deepseek(ROME, ODD)}", "Yes.\n", (ROME, ODD)),
    Case("V3.1", "deepseek",
         f"<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>add<｜tool▁sep｜>{SUM[1]}<｜tool▁call▁end｜>"
         "<｜tool▁calls▁end｜>", calls=(SUM,)),
    Case("no separator", "deepseek", "<｜tool▁call▁begin｜>add {}", "<｜tool▁call▁begin｜>add {}"),
    Case("ends amid a call", "deepseek", _deepseek(SUM).partition(".5e3")[0],
         _deepseek(SUM).partition(".5e3")[0], cut=("add", '{"a": 1, "b": -2')),
    Case("two calls", "phi", f"<|tool_call|>{LIST_BOTH}<|/tool_call|>", calls=(ROME, SUM)),
    Case("functools", "phi", f"Sure. functools{LIST_ROME}", "Sure. ", (ROME,)),
    Case("two calls", "nemotron", f"<TOOLCALL>{LIST_BOTH}</TOOLCALL>", calls=(ROME, SUM)),
    Case("text, then a call", "jamba", f"Hm. <tool_calls>[\n    {LIST_ROME[1:-1]}\n]</tool_calls>",
         "Hm. ", (ROME,)),
    Case("one call", "gigachat", f"<|function_call|>{LIST_ROME[1:-1]}", calls=(ROME,)),
    Case("two calls", "functionary",
         f"<function=get_weather>{ROME[1]}</function><function=add>{SUM[1]}</function>",
         calls=(ROME, SUM)),
    Case("two calls", "kimi",
         "<|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:0"
         f"<|tool_call_argument_begin|>{ROME[1]}<|tool_call_end|><|tool_call_begin|>functions.add:1"
         f"<|tool_call_argument_begin|>{SUM[1]}<|tool_call_end|><|tool_calls_section_end|>",
         calls=(ROME, SUM)),
    Case("functools in prose", "phi", "Use functools.reduce [1].", "Use functools.reduce [1]."),
    # Pitfalls that users of other engines report.
    Case("one call", "qwen3_coder", XML_ROME, calls=(ROME,)),
    Case("the opening tag left out", "qwen3_coder", f"Sure.\n{XML_ROME.partition('<tool_call>')[2].lstrip()}",
         "Sure.\n", (ROME,)),
    Case("no opening tag, a tool that is not known", "qwen3_coder", "<function=rm>\n</function>",
         "<function=rm>\n</function>"),
    Case("a tag in prose", "qwen3_coder", "Write <tool_call> and <function=x> there.",
         "Write <tool_call> and <function=x> there."),
    Case("a value's closing tag left out", "qwen3_coder",
         "<tool_call>\n<function=get_weather>\n<parameter=city>\nRome\n<parameter=days>\n3\n"
         "</parameter>\n</function>\n</tool_call>",
         calls=(("get_weather", '{"city": "Rome", "days": 3}'),)),
    Case("all closing tags left out", "qwen3_coder",
         "<tool_call>\n<function=get_weather>\n<parameter=city>\nRome\n</parameter>\n", calls=(ROME,)),
    Case("Python's constants", "qwen3_coder",
         "<tool_call>\n<function=get_weather>\n<parameter=sure>\nTrue\n</parameter>\n<parameter=note>\n"
         "None\n</parameter>\n<parameter=where>\n{'k': [None, 2]}\n</parameter>\n</function>\n</tool_call>",
         calls=(("get_weather", '{"sure": true, "note": null, "where": {"k": [null, 2]}}'),)),
    Case("a number of a text, new lines of its own", "qwen3_coder",
         "<tool_call>\n<function=get_weather>\n<parameter=city>\n3\n</parameter>\n<parameter=note>\n\nx\n\n"
         "</parameter>\n</function>\n</tool_call>",
         calls=(("get_weather", '{"city": "3", "note": "\\nx\\n"}'),)),
    Case("a closing tag within a text", "qwen3_coder",
         "<tool_call>\n<function=get_weather>\n<parameter=city>\na</parameter>b</function>\n</parameter>\n"
         "</function>\n</tool_call>",
         calls=(("get_weather", '{"city": "a</parameter>b</function>"}'),)),
    Case("ends amid a value", "qwen3_coder", XML_ROME.partition("me\n")[0], XML_ROME.partition("me\n")[0],
         cut=("get_weather", '{"city": "Ro')),
    Case("no arguments", "glm", "<tool_call>now</tool_call>", calls=(("now", "{}"),)),
    Case("no arguments, a new line", "glm", "<tool_call>now\n</tool_call>", calls=(("now", "{}"),)),
    Case("a tag in prose", "glm", "Write <tool_call> and </tool_call>.", "Write <tool_call> and </tool_call>."),
    Case("a text of digits", "glm",
         "<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>10001</arg_value>\n</tool_call>",
         calls=(("get_weather", '{"city": "10001"}'),)),
    Case("a value's opening tag left out", "glm",
         "<tool_call>get_weather<arg_key>city</arg_key>how many days</arg_value></tool_call>",
         calls=(("get_weather", '{"city": "how many days"}'),)),
    Case("closing tags within a text", "glm47",
         "<tool_call>get_weather<arg_key>city</arg_key><arg_value>a</arg_value>b</tool_call>c</arg_value>"
         "</tool_call>", calls=(("get_weather", '{"city": "a</arg_value>b</tool_call>c"}'),)),
    Case("two calls in one pair", "minimax",
         '<minimax:tool_call>\n<invoke name="now">\n</invoke>\n<invoke name="get_weather">\n<parameter '
         'name="city">Rome</parameter>\n</invoke>\n</minimax:tool_call>', calls=(("now", "{}"), ROME)),
    Case("quotes within a text", "gemma4",
         '<|tool_call>call:get_weather{city:<|"|>a <|"|><|"|><|"|>b<|"|><|"|><|"|>, c<|"|>,days:2}<tool_call|>',
         calls=(("get_weather", '{"city": "a \\"\\"\\"b\\"\\"\\", c", "days": 2}'),)),
    Case("the first mark of a text left out", "gemma4",
         '<|tool_call>call:get_weather{city:Oslo, Norway<|"|>,days:2}<tool_call|>',
         calls=(("get_weather", '{"city": "Oslo, Norway", "days": 2}'),)),
    Case("JSON within", "gemma4",
         """<|tool_call>call:get_weather{where:{"k":'v'},tags:["a"]}<tool_call|>""",
         calls=(("get_weather", '{"where": {"k": "v"}, "tags": ["a"]}'),)),
    Case("parentheses", "gemma4", '<|tool_call>call:get_weather(city="Rome")<tool_call|>', calls=(ROME,)),
    Case("braces that nest", "gemma4",
         '<|tool_call>call:get_weather{where:{a:{b:{}}}}<tool_call|><|tool_call>call:now{}<tool_call|>',
         calls=(("get_weather", '{"where": {"a": {"b": {}}}}'), ("now", "{}"))),
    Case("no closing mark", "gemma4", '<|tool_call>call:get_weather{city:<|"|>Rome<|"|>}', calls=(ROME,)),
    Case("either quotes, text after", "lfm2",
         """<|tool_call_start|>[get_weather(city='Rome'), now()]<|tool_call_end|>Checking both.""",
         "Checking both.", (ROME, ("now", "{}"))),
    Case("literals of Python and of JSON", "lfm2",
         """<|tool_call_start|>[get_weather(city='it\\'s "x", ]', sure=True, note=None, tags=['a', "b"], """
         """where={"k": true})]<|tool_call_end|>""",
         calls=(("get_weather", '{"city": "it\'s \\"x\\", ]", "sure": true, "note": null, "tags": ["a", "b"], '
                 '"where": {"k": true}}'),)),
    Case("JSON in its place", "lfm2", f"<|tool_call_start|>{LIST_ROME}<|tool_call_end|>", calls=(ROME,)),
    Case("no call of a known shape", "lfm2", "<|tool_call_start|>[1 + 2]<|tool_call_end|>",
         "<|tool_call_start|>[1 + 2]<|tool_call_end|>"),
    Case("a list of Python's", "llama4", """[get_weather(city="Rome"), add(a=1)]<|eot|>""",
         calls=(ROME, ("add", '{"a": 1}'))),
    Case("JSON between its marks", "llama4", f"<|python_start|>{LLAMA_ROME}<|python_end|>", calls=(ROME,)),
    Case("a list that is no call", "llama4", "[see(1)] is a note.", "[see(1)] is a note."),
    Case("one line a call", "olmo", '<function_calls>\nget_weather(city="Rome")\nnow()\n</function_calls>',
         calls=(ROME, ("now", "{}"))),
    Case("arguments as a text", "hermes",
         '<tool_call>{"name": "now", "arguments": "{}"}</tool_call>', calls=(("now", "{}"),)),
    Case("two calls between one pair of tags", "hermes",
         HERMES_ROME.removesuffix("\n</tool_call>") + '\n{"name": "now", "arguments": {}}\n</tool_call>',
         calls=(ROME, ("now", "{}"))),
    Case("JSON after a call", "hermes", f'{HERMES_ROME}\n{{"name": "now"}}', '{"name": "now"}', (ROME,)),
    Case("names of its own", "cohere",
         '<|START_ACTION|>[\n    {"tool_call_id": "0", "tool_name": "get_weather", "parameters": '
         '{"city": "Rome"}},\n    {"tool_call_id": "1", "tool_name": "now", "parameters": {}}\n]<|END_ACTION|>',
         calls=(ROME, ("now", "{}"))),
    Case("the name is the key", "apertus", '<|tools_prefix|>[{"get_weather": {"city": "Rome"}}, {"now": {}}]'
         "<|tools_suffix|>", calls=(ROME, ("now", "{}"))),
    Case("an id before the arguments", "mistral_args",
         f"[TOOL_CALLS]get_weather[CALL_ID]a1B2c3D4e[ARGS]{ROME[1]}", calls=(ROME,)),
    Case("Granite's list", "phi", f"<|tool_call|>{LIST_ROME}", calls=(ROME,)),
    Case("dots in a name", "kimi",
         "<|tool_calls_section_begin|><|tool_call_begin|>functions.a.b-c:12<|tool_call_argument_begin|>{}"
         "<|tool_call_end|><|tool_calls_section_end|>", calls=(("a.b-c", "{}"),)),
)  # fmt: skip
