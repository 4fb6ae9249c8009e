# ruff: noqa: E501 (answers are data, one a line)
"""Answers of models with tools, in every notation, and what they say."""

from dataclasses import dataclass

from convergio_mlx.answers.tool_formats import FORMATS

BY_NAME = {known.name: known for known in FORMATS}
NAMES = ("get_weather", "add")
ROME = ("get_weather", '{"city": "Rome"}')
SUM = ("add", '{"a": 1, "b": -2.5e3}')
ODD = ("get_weather", '{"city": "São \\"P\\\\aulo\\" } </tool_call> 🌍 [x]"}')


@dataclass(frozen=True)
class Case:
    name: str
    notation: str
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
    Case("functools in prose", "phi", "Use functools.reduce [1].", "Use functools.reduce [1]."),
)  # fmt: skip
