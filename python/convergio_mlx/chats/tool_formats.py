"""How models write tool calls: a table of formats, found by what template and tokenizer have.

A format is data: the marks that begin a call, what may stand between mark and arguments, how these
are written, and what ends them. The parser (tool_parser.py) reads calls by it, the grammar
(grammar.py) allows them by it, and the default prompt (tool_prompt.py) shows it.
"""

from __future__ import annotations

from convergio_mlx.chats.literal_arguments import PYTHON, Literals
from convergio_mlx.chats.tag_arguments import Tags
from convergio_mlx.chats.tool_format import NAME, PLAIN, ToolFormat
from convergio_mlx.text.tokenizer import Tokenizer

HERMES = ToolFormat(
    name="hermes",
    signs=("<tool_call>",),
    marks=("<tool_call>",),
    before="\n",
    after="\n</tool_call>",
    closers=("</tool_call>",),
)
"""NousResearch's Hermes, Qwen, Granite 4, EXAONE 4, the embedded model; also what models without a
format of their own are told to write."""

_DEEPSEEK_HEADER = (
    r"\s*(?:<｜tool▁call▁begin｜>)?\s*(?:function)?<｜tool▁sep｜>(?P<name>[^\s<>{}]+)\s*"
    r"(?:```(?:json)?\s*)?(?=\{)"
    r"|\s*(?:<｜tool▁call▁begin｜>)?\s*(?P<name_first>[^\s<>{}]+)<｜tool▁sep｜>\s*(?=\{)"
)
_MISTRAL_HEADER = (
    PLAIN + r"|\s*(?P<name>[^\s\[\]{}]+)(?:\[CALL_ID\](?P<id>[^\[\]{}]*))?(?:\[ARGS\])?\s*(?=\{)"
)
_NAME_SO_FAR = r"\s*[\w.:/-]*\s*"
_ANY = r"(?=(?s:.))"
"""Whichever character follows."""
_XML = Tags(
    key_open="<parameter=", key_close=">", close="</parameter>", end="</function>", margin="\n"
)
_INVOKE = Tags(key_open='<parameter name="', key_close='">', close="</parameter>", end="</invoke>")
_GLM = Tags(
    key_open="<arg_key>",
    key_close="</arg_key>",
    open="<arg_value>",
    close="</arg_value>",
    end="</tool_call>",
)
_GEMMA_HEADER = rf"\s*call:{NAME}\s*(?=[{{(])"

FORMATS = (
    ToolFormat(  # gpt-oss: what channels.py gives of a message that is a call
        name="harmony",
        signs=("<|channel|>",),
        marks=("<|channel|>commentary to=functions.",),
        before="{name} <|constrain|>json<|message|>",
        after="",
        closers=("<|call|>",),
        single=True,
        within=("<|constrain|>", "<|message|>", "<|channel|>", "<|start|>"),
        header=rf"{NAME}[^<]*(?:<\|constrain\|>[^<]*)?<\|message\|>\s*(?=\{{)",
        stops=("<|call|>", "<|return|>"),
    ),
    ToolFormat(
        name="muse",  # Muse Glimmer
        signs=("<atem:function_calls>",),
        marks=('<atem:invoke name="', "<atem:function_calls>"),
        before='{name}">\n',
        after="</atem:invoke>\n",
        closers=("</atem:function_calls>",),
        around=("<atem:function_calls>\n", "</atem:function_calls>"),
        between="",
        header=rf'\s*(?:<atem:invoke name=")?{NAME}">{_ANY}',
        syntax=Tags('<atem:parameter name="', '">', "</atem:parameter>", "</atem:invoke>"),
        weak=('<atem:invoke name="',),
    ),
    ToolFormat(
        name="solar",  # Solar Open
        signs=("<|tool_call:begin|>",),
        marks=("<|tool_call:begin|>", "<|tool_calls|>"),
        before="{id}<|tool_call:name|>{name}<|tool_call:args|>",
        after="<|tool_call:end|>",
        closers=("<|tool_call:end|>", "<|calls|>"),
        around=("<|tool_calls|>", ""),
        between="",
        within=("<|tool_call:name|>", "<|tool_call:args|>"),
        header=r"(?:<\|tool_call:begin\|>)?(?P<id>[^<]*)<\|tool_call:name\|>"
        rf"{NAME}<\|tool_call:args\|>\s*(?=\{{)",
        stops=("<|calls|>",),
    ),
    ToolFormat(
        name="functionary32",
        signs=(">>>all",),
        marks=(">>>",),
        before="{name}\n",
        after="",
        closers=(),
        between="",
        header=rf"{NAME}\n\s*(?=\{{)",
        so_far=r"[\w.:/-]*\n?\s*",
        weak=(">>>",),
    ),
    ToolFormat(
        name="minimax",  # MiniMax M2
        signs=("<minimax:tool_call>",),
        marks=('<invoke name="', "<minimax:tool_call>"),
        before='{name}">\n',
        after="</invoke>\n",
        closers=("</minimax:tool_call>",),
        around=("<minimax:tool_call>\n", "</minimax:tool_call>"),
        between="",
        header=rf'\s*(?:<invoke name=")?{NAME}">{_ANY}',
        syntax=_INVOKE,
        weak=('<invoke name="',),
    ),
    ToolFormat(
        name="gemma4",
        signs=("<|tool_call>",),
        marks=("<|tool_call>",),
        before="call:{name}",
        after="<tool_call|>",
        closers=(),
        between="",
        within=("<tool_call|>", '<|"|>'),
        header=_GEMMA_HEADER,
        lead="call:",
        syntax=Literals(("{", "}"), ":", ",", '<|"|>', "<tool_call|>"),
        stops=("<|tool_response>",),
    ),
    ToolFormat(
        name="functiongemma",
        signs=("<start_function_call>",),
        marks=("<start_function_call>",),
        before="call:{name}",
        after="<end_function_call>",
        closers=(),
        between="",
        within=("<end_function_call>", "<escape>"),
        header=_GEMMA_HEADER,
        lead="call:",
        syntax=Literals(("{", "}"), ":", ",", "<escape>", "<end_function_call>"),
        stops=("<start_function_response>",),
    ),
    ToolFormat(
        name="longcat",
        signs=("<longcat_tool_call>",),
        marks=("<longcat_tool_call>",),
        before="\n",
        after="\n</longcat_tool_call>",
        closers=("</longcat_tool_call>",),
    ),
    ToolFormat(  # GLM 4.7 and later: the same without new lines
        name="glm47",
        signs=("</arg_key><arg_value>",),
        marks=("<tool_call>",),
        before="{name}",
        after="</tool_call>",
        closers=(),
        between="",
        header=rf"\s*{NAME}\s*(?=<)",
        so_far=_NAME_SO_FAR,
        within=("<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>", "</tool_call>"),
        syntax=Tags(
            "<arg_key>", "</arg_key>", "</arg_value>", "</tool_call>", "<arg_value>", "", ""
        ),
        weak=("<tool_call>",),
        stops=("<|observation|>", "<|user|>"),
    ),
    ToolFormat(  # GLM 4.5, 4.6, Laguna
        name="glm",
        signs=("<arg_key>",),
        marks=("<tool_call>",),
        before="{name}\n",
        after="</tool_call>",
        closers=(),
        header=rf"\s*{NAME}\s*(?=<)",
        so_far=_NAME_SO_FAR,
        within=("<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>", "</tool_call>"),
        syntax=_GLM,
        weak=("<tool_call>",),
        stops=("<|observation|>", "<|user|>"),
    ),
    ToolFormat(
        name="lfm2",
        signs=("<|tool_list_start|>", "<|tool_call_start|>"),
        marks=("<|tool_call_start|>",),
        before="",
        after="<|tool_call_end|>",
        closers=("<|tool_call_end|>",),
        listed=True,
        syntax=PYTHON,
    ),
    ToolFormat(
        name="seed",  # Seed-OSS
        signs=("<seed:tool_call>",),
        marks=("<seed:tool_call>", "<function="),
        before="\n<function={name}>\n",
        after="</function>\n</seed:tool_call>",
        closers=("</seed:tool_call>",),
        header=rf"\s*(?:<function=)?{NAME}>{_ANY}",
        lead="<function=",
        syntax=Tags("<parameter=", ">", "</parameter>", "</function>"),
        weak=("<function=",),
    ),
    ToolFormat(  # Qwen3-Coder, Qwen3.5 to 3.8, Nemotron 3, Step 3.5
        name="qwen3_coder",
        signs=("<parameter=",),
        marks=("<tool_call>", "<function="),
        before="\n<function={name}>\n",
        after="</function>\n</tool_call>",
        closers=("</tool_call>",),
        header=rf"\s*(?:<function=)?{NAME}>{_ANY}",
        lead="<function=",
        syntax=_XML,
        weak=("<function=",),
    ),
    ToolFormat(
        name="minicpm",  # MiniCPM5
        signs=('<param name="',),
        marks=('<function name="',),
        before='{name}">',
        after="</function>",
        closers=(),
        header=rf'{NAME}">{_ANY}',
        syntax=Tags('<param name="', '">', "</param>", "</function>", gap=""),
        weak=('<function name="',),
    ),
    ToolFormat(
        name="olmo",  # OLMo 3
        signs=("<function_calls>",),
        marks=("<function_calls>",),
        before="",
        after="",
        closers=("</function_calls>",),
        header=r"\s*(?=[A-Za-z_])",
        listed=True,
        brackets=("\n", "\n</function_calls>"),
        comma="\n",
        syntax=PYTHON,
    ),
    ToolFormat(  # Command R
        name="command_r",
        signs=("Action:\\n```json", "'Action:'"),
        marks=("Action:",),
        before="\n```json\n",
        after="```",
        closers=("```",),
        header=r"\s*```(?:json)?\s*(?=\[)",
        so_far=r"\s*(?:`{0,3}|```[json]*\s*)",
        listed=True,
        brackets=("[\n", "\n]"),
        comma=",\n",
        call='{"tool_name": {name}, "parameters": {arguments}}',
    ),
    ToolFormat(  # Command R7B, Command A
        name="cohere",
        signs=("<|START_ACTION|>",),
        marks=("<|START_ACTION|>",),
        before="",
        after="<|END_ACTION|>",
        closers=("<|END_ACTION|>",),
        listed=True,
        call='{"tool_call_id": "{index}", "tool_name": {name}, "parameters": {arguments}}',
    ),
    ToolFormat(
        name="apertus",
        signs=("<|tools_prefix|>",),
        marks=("<|tools_prefix|>",),
        before="",
        after="<|tools_suffix|>",
        closers=("<|tools_suffix|>",),
        listed=True,
        call="{{name}: {arguments}}",
        stops=("<|tools_suffix|>",),
    ),
    ToolFormat(  # DeepSeek V3 and R1
        name="deepseek",
        signs=("<｜tool▁call▁begin｜>", "<｜tool▁calls▁begin｜>"),
        marks=("<｜tool▁call▁begin｜>", "<｜tool▁calls▁begin｜>"),
        before="function<｜tool▁sep｜>{name}\n```json\n",
        after="\n```<｜tool▁call▁end｜>",
        closers=("```", "<｜tool▁call▁end｜>", "<｜tool▁calls▁end｜>"),
        around=("<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"),
        within=("<｜tool▁sep｜>",),
        header=_DEEPSEEK_HEADER,
    ),
    ToolFormat(  # DeepSeek V3.1
        name="deepseek31",
        signs=("<｜tool▁call▁begin｜>", "<｜tool▁calls▁begin｜>"),
        marks=("<｜tool▁call▁begin｜>", "<｜tool▁calls▁begin｜>"),
        before="{name}<｜tool▁sep｜>",
        after="<｜tool▁call▁end｜>",
        closers=("```", "<｜tool▁call▁end｜>", "<｜tool▁calls▁end｜>"),
        around=("<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"),
        within=("<｜tool▁sep｜>",),
        between="",
        header=_DEEPSEEK_HEADER,
    ),
    ToolFormat(  # Mistral, tokenizers from v11 on
        name="mistral_args",
        signs=("[ARGS]",),
        marks=("[TOOL_CALLS]",),
        before="{name}[ARGS]",
        after="",
        closers=(),
        between="",
        within=("[ARGS]", "[CALL_ID]"),
        header=_MISTRAL_HEADER,
    ),
    ToolFormat(  # Mistral, earlier
        name="mistral",
        signs=("[TOOL_CALLS]",),
        marks=("[TOOL_CALLS]",),
        before=" ",
        after="",
        closers=(),
        within=("[ARGS]", "[CALL_ID]"),
        header=_MISTRAL_HEADER,
        listed=True,
    ),
    ToolFormat(  # Phi-4-mini; earlier ones call "functools"; Granite 3 without the closing mark
        name="phi",
        signs=("<|tool_call|>", "<|/tool|>", "functools["),
        marks=("<|tool_call|>", "functools"),
        before="",
        after="<|/tool_call|>",
        closers=("<|/tool_call|>",),
        listed=True,
    ),
    ToolFormat(
        name="nemotron",  # Nemotron Nano v2
        signs=("<TOOLCALL>",),
        marks=("<TOOLCALL>",),
        before="",
        after="</TOOLCALL>",
        closers=("</TOOLCALL>",),
        listed=True,
    ),
    ToolFormat(
        name="jamba",  # Jamba, Apriel, Hunyuan
        signs=("<tool_calls>",),
        marks=("<tool_calls>",),
        before="",
        after="</tool_calls>",
        closers=("</tool_calls>",),
        listed=True,
    ),
    ToolFormat(
        name="gigachat",
        signs=("<|function_call|>",),
        marks=("<|function_call|>",),
        before="",
        after="",
        closers=(),
    ),
    ToolFormat(
        name="functionary",  # Functionary 3.1, and Llama 3.1's models that are told so
        signs=("<function=",),
        marks=("<function=",),
        before="{name}>",
        after="</function>",
        closers=("</function>",),
        header=r"\s*(?P<name>[^\s<>{}]+)>\s*(?=\{)",
        between="",
    ),
    ToolFormat(
        name="kimi",  # Kimi K2
        signs=("<|tool_call_begin|>", "<|tool_calls_section_begin|>"),
        marks=("<|tool_call_begin|>", "<|tool_calls_section_begin|>"),
        before="functions.{name}:{index}<|tool_call_argument_begin|>",
        after="<|tool_call_end|>",
        closers=("<|tool_call_end|>", "<|tool_calls_section_end|>"),
        around=("<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"),
        between="",
        within=("<|tool_call_argument_begin|>",),
        header=r"\s*(?:<\|tool_call_begin\|>)?\s*(?P<id>(?:functions\.)?(?P<name>[^\s<>{}]+?)"
        r"(?::\d+)?)\s*<\|tool_call_argument_begin\|>\s*(?=\{)",
        numbers_ids=True,
    ),
    HERMES,
    ToolFormat(  # Llama 4: JSON as in Llama 3, or a list of Python's
        name="llama4",
        signs=("<|python_start|>",),
        marks=("<|python_start|>",),
        before="",
        after="",
        closers=(";", "<|python_end|>", "<|eom|>", "<|eot|>"),
        header=r"\s*(?:<\|python_end\|>)?\s*(?=[\[{])",
        so_far=r"\s*(?:<\|?[a-z_]{0,10}(?:\|>?)?)?\s*",
        between="",
        call='{"name": {name}, "parameters": {arguments}}',
        bare="{[",
    ),
    ToolFormat(  # Llama 3.1 to 3.3
        name="llama3",
        signs=("<|python_tag|>", '"parameters": '),
        marks=("<|python_tag|>",),
        before="",
        after="",
        closers=(";", "<|eom_id|>", "<|eot_id|>"),
        between="; ",
        call='{"name": {name}, "parameters": {arguments}}',
        bare="{",
    ),
)


def formats_of(tokenizer: Tokenizer) -> tuple[ToolFormat, ...]:
    """The formats that a model may have been made with, the likeliest first; Hermes' where neither
    its chat template nor its vocabulary has the marks of one."""
    source = tokenizer.chat_templates.get("tool_use") or tokenizer.chat_templates.get("default", "")
    found = [known for known in FORMATS if any(sign in source for sign in known.signs)]
    found += [
        known
        for known in FORMATS
        if not found and any(tokenizer.token_to_id(sign) is not None for sign in known.signs)
    ]
    return tuple(found) or (HERMES,)


def format_of(tokenizer: Tokenizer) -> ToolFormat:
    """The likeliest format of a model."""
    return formats_of(tokenizer)[0]
