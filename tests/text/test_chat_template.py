"""Chat templates against transformers' rendering of the same conversations."""

import contextlib
import os
import threading
from datetime import datetime
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergio_mlx.errors import InvalidRequestError, TokenizerError
from convergio_mlx.text.chat_template import ChatTemplate
from everyday import one_in
from vocabularies import DATA, REAL, fuzz, made, tokenizer

os.environ["TRANSFORMERS_VERBOSITY"] = "error"

OPTIONS = ("tools", "documents", "add_generation_prompt")
NAMES = {"bos_token": "<s>", "eos_token": "</s>"}
SOURCES = {
    path.stem: path.read_text(encoding="utf-8")
    for folder in ("chat_templates", "chat_templates_2026")
    for path in sorted((DATA / folder).glob("*.jinja"))
}
NEEDED: dict[str, dict[str, Any]] = {"firefunction": {"functions": "[]", "datetime": "now"}}
"""Variables that a template insists on."""
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SOURCES["chatml"] = CHATML
templates = pytest.mark.parametrize("name", one_in(7, [*SOURCES, *REAL]))


@cache
def source_of(name: str) -> str:
    return SOURCES[name] if name in SOURCES else tokenizer(name).chat_templates["default"]


def needs(name: str) -> dict[str, Any]:
    """What a template insists on: tools, or variables of its own."""
    variables = [more for part, more in NEEDED.items() if part in name]
    tools = {"tools": [DESCRIBED]} if name.endswith("tool_use") else {}
    return {**tools, **(variables[0] if variables else {})}


@cache
def reference() -> Any:
    transformers = pytest.importorskip("transformers")
    return transformers.PreTrainedTokenizerFast(tokenizer_object=made("byte-level"), **NAMES)


def expected(source: str, messages: Any, **options: Any) -> str | Exception:
    """What the reference renders, or what it raises."""
    try:
        text = reference().apply_chat_template(
            messages, chat_template=source, tokenize=False, **options
        )
    except Exception as error:
        return error
    assert isinstance(text, str)
    return text


def leaves_out(text: str, messages: list[dict[str, Any]], template: ChatTemplate) -> bool:
    """Whether the reference leaves out what ours puts elsewhere: system messages that have no
    place, and calls beside others."""
    systems = [str(m["content"]).strip() for m in messages if m["role"] == "system"]
    lost = any(one and one not in text for one in systems) or len(systems) > 1
    calls = any(len(m.get("tool_calls", [])) > 1 for m in messages)
    return lost or (calls and not template.shape.takes_parallel_calls)


def check(source: str, messages: Any, **options: Any) -> None:
    options = {"add_generation_prompt": True, **options}
    wanted = expected(source, messages, **options)
    template = ChatTemplate(source, NAMES)
    options = ours(options)
    if isinstance(wanted, str):
        try:
            text = template.render(messages, **options)
        except InvalidRequestError:
            # several system texts are put together, and a template may fail on nothing else
            assert all(message["role"] == "system" for message in messages)
            return
        assert text == wanted or leaves_out(wanted, messages, template)
    else:
        # Ours may know how to put the messages so that the template takes them.
        with contextlib.suppress(InvalidRequestError):
            template.render(messages, **options)


def ours(options: dict[str, Any]) -> dict[str, Any]:
    """Options of the reference as `ChatTemplate.render` takes them."""
    variables = {name: value for name, value in options.items() if name not in OPTIONS}
    return {
        **{name: value for name, value in options.items() if name in OPTIONS},
        "chat_template_kwargs": variables,
    }


def user(text: str = "What is 2+2?") -> dict[str, Any]:
    return {"role": "user", "content": text}


def assistant(text: str = "4.") -> dict[str, Any]:
    return {"role": "assistant", "content": text}


SYSTEM = {"role": "system", "content": "You are terse. "}
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Weather of a city — «now» <b>&amp;</b>",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "enum": ["Kraków", "東京"]}},
            "required": ["city"],
        },
    },
}
DESCRIBED = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "description": "Its name."}},
            "required": ["city"],
        },
    },
}
CALL = {
    "id": "abc123def",
    "type": "function",
    "function": {"name": "weather", "arguments": {"city": "東京", "days": 3}},
}
RESULT = {"role": "tool", "tool_call_id": "abc123def", "name": "weather", "content": "21 °C"}

CONVERSATIONS: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "one turn": ([user()], {}),
    "system": ([SYSTEM, user()], {}),
    "system alone": ([SYSTEM], {}),
    "three turns": ([user(), assistant(), user("And 3+3?")], {}),
    "system, three turns": ([SYSTEM, user(), assistant(), user("And 3+3?")], {}),
    "ends with an answer": ([user(), assistant()], {}),
    "no prompt": ([user()], {"add_generation_prompt": False}),
    "no prompt, three turns": ([user(), assistant(), user()], {"add_generation_prompt": False}),
    "unicode": ([user("naïve 日本語 👩‍👩‍👧 \u202eabc\x00"), assistant("é"), user("¿?")], {}),
    "white space": ([user("  a \n\n b\t\n"), assistant("\n c "), user("\n")], {}),
    "empty text": ([user(""), assistant(""), user("x")], {}),
    "template marks": ([user("{{ 7*7 }} {% if %} {# #} <|im_end|></s>")], {}),
    "html": ([user("<b>&amp;\"'</b>")], {}),
    "tools": ([user()], {"tools": [WEATHER]}),
    "tools, system": ([SYSTEM, user()], {"tools": [WEATHER, WEATHER]}),
    "no tools": ([user()], {"tools": []}),
    "call": ([user(), {"role": "assistant", "tool_calls": [CALL]}], {"tools": [WEATHER]}),
    "call, content None": (
        [user(), {"role": "assistant", "content": None, "tool_calls": [CALL]}],
        {"tools": [WEATHER]},
    ),
    "call with content": (
        [user(), {**assistant("Let me see."), "tool_calls": [CALL]}],
        {"tools": [WEATHER]},
    ),
    "result": (
        [user(), {"role": "assistant", "content": "", "tool_calls": [CALL]}, RESULT],
        {"tools": [WEATHER]},
    ),
    "result and answer": (
        [user(), {"role": "assistant", "tool_calls": [CALL]}, RESULT, assistant("21."), user()],
        {"tools": [WEATHER]},
    ),
    "two calls": (
        [
            user(),
            {"role": "assistant", "tool_calls": [CALL, {**CALL, "id": "xyz123def"}]},
            RESULT,
            {**RESULT, "tool_call_id": "xyz123def"},
        ],
        {"tools": [WEATHER]},
    ),
    "call without tools": ([user(), {"role": "assistant", "tool_calls": [CALL]}, RESULT], {}),
    "ipython": ([user(), {"role": "ipython", "content": "ok"}], {}),
    "two users": ([user(), user()], {}),
    "assistant first": ([assistant(), user()], {}),
    "system later": ([user(), SYSTEM, user()], {}),
    "strange role": ([{"role": "wizard", "content": "x"}, user()], {}),
    "reasoning": ([user(), {**assistant(), "reasoning_content": "2 and 2"}, user()], {}),
    "reasoning, older name": ([user(), {**assistant(), "reasoning": "2 and 2"}, user()], {}),
    "think in text": ([user(), assistant("<think>\nhm\n</think>\n\n4"), user()], {}),
    "documents": ([user()], {"documents": [{"title": "T", "text": "words"}]}),
    "variables": (
        [user()],
        {"date_string": "1 Jan 2025", "enable_thinking": True, "builtin_tools": ["search"]},
    ),
    "tools, not in user": ([user()], {"tools": [WEATHER], "tools_in_user_message": False}),
    "names by hand": ([user()], {"bos_token": "[BOS]", "eos_token": "[EOS]"}),
    "further fields": ([{**user(), "name": "Ada", "n": [1, {"a": None}]}], {}),
}


@templates
@pytest.mark.parametrize("case", CONVERSATIONS)
def test_conversations_as_transformers(name: str, case: str) -> None:
    messages, options = CONVERSATIONS[case]
    check(source_of(name), messages, **options)


words = st.text(max_size=20) | st.sampled_from(["</think>x", " a ", "[TOOL_CALLS]", "{{x}}"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**9) | st.floats(allow_nan=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
calls = st.builds(
    lambda name, arguments: {
        **CALL,
        "function": {"name": name, "arguments": arguments},
    },
    words,
    st.dictionaries(words, json_values, max_size=3),
)
turns = st.one_of(
    st.builds(user, words),
    st.builds(assistant, words),
    st.builds(lambda text: {"role": "system", "content": text}, words),
    st.builds(lambda text: {**RESULT, "content": text}, words),
    st.builds(lambda c: {"role": "assistant", "tool_calls": c}, st.lists(calls, min_size=1)),
    st.builds(lambda text: {**assistant(text), "reasoning_content": text}, words),
)


@pytest.mark.slow
@templates
@fuzz
@given(
    messages=st.lists(turns, min_size=1, max_size=6),
    tools=st.none() | st.lists(st.just(WEATHER), max_size=2),
    prompt=st.booleans(),
)
def test_any_conversation_as_transformers(
    name: str, messages: list[dict[str, Any]], tools: Any, prompt: bool
) -> None:
    check(source_of(name), messages, tools=tools, add_generation_prompt=prompt)


SNIPPETS = [
    "{% generation %}{{ messages[0].content }}{% endgeneration %}|"
    "{% generation %}{% endgeneration %}",
    "{% set x = 1 %}{% generation %}{% set x = 2 %}{{ x }}{% endgeneration %}{{ x }}",
    "{% for i in range(9) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 5 %}{% break %}"
    "{% endif %}{{ i }}{{ loop.index }}{{ loop.last }}{% endfor %}",
    "{% for x in [] %}a{% else %}none{% endfor %}{% for a, b in [(1, 2), [3, 4]] %}{{ a ~ b }}"
    "{% endfor %}",
    "{%- for m in messages | reverse recursive -%} {{ m.role }} {%- endfor -%}",
    "{% for n in [1, [2, [3]]] recursive %}{% if n is iterable %}({{ loop(n) }}){% else %}{{ n }}"
    "{% endif %}{% endfor %}",
    "{% set ns = namespace(a=1, b='x') %}{% for i in range(3) %}{% set ns.a = ns.a + i %}"
    "{% endfor %}{{ ns.a }}{{ ns.b }}{{ ns.c is defined }}",
    "{% set ns = namespace(_a=1) %}",
    "{% set found = [namespace(a=1)] %}{% set found = found + [namespace(a=2)] %}"
    "{{ found[1].a }}{{ found | length }}",
    "{{ [[1], [2]] | sum(start=[]) }}{{ 'abc'.translate({97: 'x'}) }}{{ 'a' | urlize }}",
    "{% set ns = namespace() %}{% set ns._a = 1 %}",
    "{% macro m(a, b='d', *rest, **more) %}{{ a }}{{ b }}{{ rest }}{{ more }}{% endmacro %}"
    "{{ m(1) }}{{ m(1, 2, 3, x=4) }}",
    "{% macro outer() %}[{{ caller('x') }}]{% endmacro %}"
    "{% call(v) outer() %}{{ v }}!{% endcall %}",
    "{% macro f(n) %}{{ n }}{% if n %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(5) }}",
    "{% set x %}a{{ messages[0].role }}b{% endset %}{{ x }}{{ x | length }}{{ x is string }}",
    "{% set x | upper %}a{{ 1 }}b{% endset %}{{ x }}",
    "{% filter upper | replace('A', 'b') %}xa{{ 'a' }}{% endfilter %}",
    "{% with a = 1, b = [2] %}{{ a }}{{ b }}{% endwith %}",
    "{{ messages[0] }}{{ messages }}{{ messages[0:1] }}{{ messages[::-1] | length }}",
    "{{ {'a': [1, (2,), None, true]} }}{{ () }}{{ (1,) }}{{ [] }}{{ {} }}",
    "{{ tools }}{{ documents }}{{ nothing }}{{ none }}{{ 1.0 }}{{ true }}",
    "{{ {'b': 1, 'a': '<é&\"'} | tojson }}{{ [1, 2] | tojson(indent=2) }}"
    "{{ {'b': 1, 'a': 2} | tojson(sort_keys=true, separators=(',', ':')) }}"
    "{{ 'é' | tojson(ensure_ascii=true) }}{{ 'é' | tojson(true, 4) }}",
    "{{ nothing | tojson }}",
    "{{ 'a' + 'b' ~ 1 ~ none }}{{ [1] + [2] }}{{ 'ab' * 3 }}{{ 3 * [0] }}{{ 2 ** 8 }}{{ 7 % 4 }}"
    "{{ '%s-%05.1f-%%' % ('a', 2) }}{{ 7 // 2 }}{{ 7 / 2 }}{{ 1 + 2.5 }}{{ -1 }}{{ (1,) + (2,) }}",
    "{{ 'a' + 1 }}",
    "{{ '{} {:>5} {x:.2f} {0!r}'.format('a', 'b', x=1.5) }}{{ '{a}'.format_map({'a': 1}) }}",
    "{{ '%s is %d' | format('x', 3) }}{{ '%(a)s' | format(a=1) }}{{ 'a%b' }}",
    "{{ ' a b '.strip() }}{{ 'a,b'.split(',') }}{{ 'ab'.replace('a', 'xx') }}"
    "{{ '-'.join(['a', 'b']) }}"
    "{{ 'a'.center(5) }}|{{ 'a'.rjust(3, '.') }}{{ '7'.zfill(3) }}{{ 'a\tb'.expandtabs(4) }}"
    "{{ 'ab'.startswith('a') }}{{ 'aXb'.partition('X') }}{{ 'a\nb'.splitlines() }}"
    "{{ 'Ab'.swapcase() }}"
    "{{ 'abc'.find('c') }}{{ 'abc'[1:] }}{{ 'abc'[-1] }}{{ 'x'.encode().decode() }}",
    "{{ ['a', 'b'] | join(', ') }}{{ [1, 2] | join }}{{ messages | join('|', attribute='role') }}"
    "{{ messages | map(attribute='role') | join('+') }}{{ 'abc' | join('.') }}",
    "{{ messages | selectattr('role', 'equalto', 'user') | list | length }}"
    "{{ messages | rejectattr('role', '==', 'user') | list }}{{ [1, 0, 2] | select | list }}"
    "{{ [1, 2, 3] | reject('odd') | first }}{{ ['a', 'B'] | map('upper') | list }}"
    "{{ messages | map(attribute='nothing', default='d') | list }}",
    "{{ [3, 1, 2] | sort }}{{ [3, 1] | sort(reverse=true) | first }}"
    "{{ {'b': 1, 'a': 2} | dictsort }}"
    "{{ {'b': 1} | items | list }}{{ {'a': 1}.items() | list }}{{ {'a': 1}.get('b', 5) }}"
    "{{ {'a': 1}.keys() | list }}{{ {'a': {'b': 2}}.a.b }}{{ {'a': 1}['z'] is defined }}",
    "{{ [1, 2, 3, 4, 5] | batch(2, 'x') | list }}{{ [1, 2, 3] | slice(2) | list }}"
    "{{ [1, 2] | sum }}{{ [{'n': 1}, {'n': 2}] | sum(attribute='n') }}"
    "{{ [1, 1, 2] | unique | list }}"
    "{{ [{'k': 1, 'v': 2}] | groupby('k') }}{{ [1, 2] | max }}{{ [1, 2] | last }}",
    "{{ 'hello world' | title }}{{ 'x' | capitalize }}{{ 'A' | lower }}{{ ' a ' | trim }}|"
    "{{ 'a\nb' | indent }}{{ 'a\nb' | indent(2, true) }}{{ 'a\nb' | indent('> ') }}"
    "{{ 'a b' | wordcount }}{{ 'abc' | center(9) }}|{{ 'long text here' | truncate(8) }}"
    "{{ 'aaaa bbbb' | wordwrap(4) }}{{ 'aab' | replace('a', 'x', 1) }}{{ 1.256 | round(2) }}"
    "{{ 'a b/ü' | urlencode }}{{ '<a>' | e }}{{ '<i>x</i>' | striptags }}{{ 5 | string ~ 5 }}",
    "{{ '5' | int + 1 }}{{ 'x' | int(7) }}{{ 'ff' | int(0, 16) }}{{ '1.5' | float }}{{ -3 | abs }}"
    "{{ nothing | default('d') }}{{ '' | default('d', true) }}{{ 1000 | filesizeformat }}",
    "{{ nothing.attribute }}",
    "{{ nothing() }}",
    "{{ messages[9] }}{{ messages[0].zz }}{{ messages[0]['content'] | length }}",
    "{{ dict(a=1) }}{{ dict([('a', 2)]) }}{{ dict.fromkeys(['k']) }}{{ namespace(x=1).x }}",
    "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.current }}"
    "{% set j = joiner('|') %}{{ j() }}x{{ j() }}y",
    "{{ 1 if messages else 2 }}{{ (messages and 'y') or 'n' }}{{ not 1 }}{{ 1 in [1] }}"
    "{{ 2 not in (1,) }}"
    "{{ 3 is odd }}{{ 'a' is string }}{{ [] is sequence }}{{ {} is mapping }}"
    "{{ 4 is divisibleby 2 }}"
    "{{ none is none }}{{ 1 == 1.0 }}{{ 1 < 2 <= 2 }}{{ x is not defined }}{{ 1.0.is_integer() }}",
    "{% if messages[0].role == 'user' %}\n  a\n{%- elif false %}b{% else %}c{% endif %}\n\n  d  \n",
    "  {% set a, b = 1, [2] %}\n  {{ a }}{{ b[0] }}\n{# note #}\n  {%+ if true %}x{% endif %}\n\n",
    "{{ raise_exception('no: ' ~ messages | length) }}",
    "{{ raise_exception(5) }}",
    "{{ strftime_now('%Y') }}{{ strftime_now('%d %b %Y') == strftime_now('%d %b %Y') }}",
    "{{ bos_token }}{{ eos_token }}{{ pad_token is defined }}{{ add_generation_prompt }}",
    "{{ messages.append(1) }}",
    "{{ ''.__class__ }}{{ messages.__class__ }}",
    "{{ ''.__class__.__mro__ }}",
    "{{ messages | attr('__class__') }}",
    "{{ range(100001) }}",
    "{{ 'a' | nothing }}",
    "{% include 'x' %}",
    "{% block b %}in{% endblock %}",
    "{{ messages[0].role | upper | lower | length + 1 }}{{ ('a' ~ 'b') | upper }}",
    "{{ [messages[0].role, [1, {'k': (1, 2)}]] | tojson }}",
    "{{ 'ab' is in(['ab']) }}{{ ['a'] is in([['a']]) }}{{ 'x' ~ (1, 2) ~ [3] }}",
    "{% for m in messages if m.role == 'user' %}{{ loop.length }}{{ loop.previtem is defined }}"
    "{{ loop.cycle('a', 'b') }}{{ loop.changed(m.role) }}{% endfor %}",
]


@pytest.mark.parametrize("source", SNIPPETS)
def test_the_language_as_transformers_has_it(source: str) -> None:
    messages, _ = CONVERSATIONS["system, three turns"]
    wanted = expected(source, messages, add_generation_prompt=True)
    template = ChatTemplate(source, NAMES)
    if isinstance(wanted, str):
        assert template.render(messages) == wanted
    else:
        at_compiling = ("TemplateAssertionError", "TemplateSyntaxError")
        kind = TokenizerError if type(wanted).__name__ in at_compiling else InvalidRequestError
        with pytest.raises(kind, match=r"^\[chat_template\] the "):
            template.render(messages)


FINAL = [
    [user(), assistant("The answer")],
    [user(), assistant("The answer ")],
    [user(), assistant(" \nThe answer\n\n")],
    [user(), assistant("a"), user("b"), assistant("a")],
]


@templates
@pytest.mark.parametrize("messages", FINAL)
def test_continuing_the_final_message_as_transformers(name: str, messages: Any) -> None:
    options = needs(name)
    wanted = expected(source_of(name), messages, continue_final_message=True, **options)
    template = ChatTemplate(source_of(name), NAMES)
    if not isinstance(wanted, str):
        with pytest.raises(InvalidRequestError):
            template.render(messages, continue_final_message=True, **ours(options))
        return
    text = template.render(messages, continue_final_message=True, **ours(options))
    assert text == wanted
    assert text.rstrip().endswith(messages[-1]["content"].strip())


def test_nothing_to_continue() -> None:
    call = {"role": "assistant", "tool_calls": [CALL]}
    with pytest.raises(InvalidRequestError) as error:
        ChatTemplate(CHATML).render([user(), call], continue_final_message=True)
    assert str(error.value) == (
        "[chat_template] the last message has no content to continue; "
        "give it some, or leave continue_final_message off."
    )
    with pytest.raises(InvalidRequestError) as error:
        ChatTemplate("{{ messages[0].role }}").render([user()], continue_final_message=True)
    assert str(error.value) == (
        "[chat_template] the model's template does not write the last message as it is, so it "
        "cannot be continued; leave continue_final_message off."
    )


def test_a_given_date_is_today() -> None:
    template = ChatTemplate("{{ strftime_now('%d %b %Y %H:%M') }}")
    assert template.render([user()], date=datetime(2024, 7, 26, 9, 5)) == "26 Jul 2024 09:05"


PARTS = [{"type": "text", "text": "two "}, {"type": "text", "text": "parts"}]


@templates
def test_parts_of_text_are_as_transformers_or_one_text_where_it_knows_only_texts(name: str) -> None:
    template, options = ChatTemplate(source_of(name), NAMES), needs(name)
    messages = [user(PARTS), assistant()]  # type: ignore[arg-type]
    text = template.render(messages, **ours(options))
    if template.shape.takes_parts:
        assert text == expected(source_of(name), messages, add_generation_prompt=True, **options)
    else:
        assert text == template.render([user("two parts"), assistant()], **ours(options))


def test_parts_are_left_to_a_template_that_reads_them() -> None:
    source = (
        "{% for m in messages %}{% if m.content is string %}S{{ m.content }}{% else %}"
        "{% for part in m.content %}P{{ part.text | trim }}{% endfor %}{% endif %}{% endfor %}"
    )
    check(source, [user(PARTS)])  # type: ignore[arg-type]
    assert ChatTemplate(source).render([user(PARTS)]) == "PtwoPparts"  # type: ignore[arg-type]


@templates
def test_arguments_as_json_render_as_the_object_does(name: str) -> None:
    text = {**CALL, "function": {"name": "weather", "arguments": '{"city": "東京", "days": 3}'}}
    template = ChatTemplate(source_of(name), NAMES)
    options = {"tools": [WEATHER], **needs(name)}
    prompts = []
    for call in (CALL, text):
        calling = {"role": "assistant", "content": "", "tool_calls": [call]}
        try:
            prompts.append(template.render([user(), calling, RESULT], **ours(options)))
        except InvalidRequestError:
            wanted = expected(source_of(name), [user(), calling, RESULT], **options)
            assert isinstance(wanted, Exception)
            prompts.append("")
    assert prompts[0] == prompts[1]


def test_a_template_that_joins_arguments_to_text_gets_their_json() -> None:
    source = (
        "{% for m in messages %}{% for c in m.tool_calls %}"
        "{{ 'call ' + c.function.name + ' ' + c.function.arguments }}{% endfor %}{% endfor %}"
    )
    messages = [user(), {"role": "assistant", "tool_calls": [CALL]}]
    assert ChatTemplate(source).render(messages) == 'call weather {"city": "東京", "days": 3}'


def test_the_caller_keeps_its_messages_as_they_were() -> None:
    text = '{"city": "x"}'
    call = {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": text}}]}
    messages = [user(PARTS), call, assistant("end")]  # type: ignore[arg-type]
    before = repr(messages)
    ChatTemplate(CHATML).render(messages, continue_final_message=True)
    assert repr(messages) == before


BAD_MESSAGES: list[tuple[Any, str]] = [
    ("hi", "messages is of type str; give a list of messages."),
    ([], "messages is empty; give at least one message."),
    (["hi"], "messages[0] is of type str; give a dict with 'role' and 'content'."),
    (
        [user(), {"content": "x"}],
        "messages[1] has the role None; give 'system', 'user', 'assistant' or 'tool'.",
    ),
    (
        [{"role": 3, "content": "x"}],
        "messages[0] has the role 3; give 'system', 'user', 'assistant' or 'tool'.",
    ),
    (
        [{"role": "user", "content": None}],
        "messages[0] has neither 'content' nor 'tool_calls'; give one of them.",
    ),
    ([user(5)], "messages[0].content is of type int; give a text or a list of text parts."),  # type: ignore[arg-type]
    (
        [user([PARTS[0], {"type": "image_url", "image_url": {"url": "x"}}])],  # type: ignore[arg-type]
        "messages[0].content[1] is of type 'image_url'; "
        "this package reads text: give {'type': 'text', 'text': '…'}.",
    ),
    (
        [user(["x"])],  # type: ignore[arg-type]
        "messages[0].content[0] is of type None; "
        "this package reads text: give {'type': 'text', 'text': '…'}.",
    ),
    (
        [{"role": "assistant", "tool_calls": CALL}],
        "messages[0].tool_calls is of type dict; give a list of tool calls.",
    ),
    (
        [{"role": "assistant", "tool_calls": [{"id": 1}]}],
        "messages[0].tool_calls[0] has no function name; "
        "give {'function': {'name': …, 'arguments': …}}.",
    ),
    (
        [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": [1]}}]}],
        "messages[0].tool_calls[0] arguments are a list; give an object, or its JSON as a text.",
    ),
    (
        [{**user(), "at": datetime.now()}],
        "messages[0]['at'] is of type datetime; give JSON's types.",
    ),
    ([{**user(), "at": {1: 2}}], "messages[0]['at'] has the key 1; keys must be texts."),
]


@pytest.mark.parametrize(("messages", "sentence"), BAD_MESSAGES)
def test_messages_of_another_shape(messages: Any, sentence: str) -> None:
    with pytest.raises(InvalidRequestError) as error:
        ChatTemplate(CHATML).render(messages)
    assert str(error.value) == f"[messages] {sentence}"


BAD_TOOLS: list[tuple[Any, str]] = [
    ({}, "tools is of type dict; give a list of tool definitions."),
    (
        [WEATHER, {"type": "function"}],
        "tools[1] has no function name; "
        "give {'type': 'function', 'function': {'name': …, 'parameters': …}}.",
    ),
    (
        [{"name": "f", "parameters": {"x": {1}}}],
        "tools[0]['parameters']['x'] is of type set; give JSON's types.",
    ),
]


@pytest.mark.parametrize(("tools", "sentence"), BAD_TOOLS)
def test_tools_of_another_shape(tools: Any, sentence: str) -> None:
    with pytest.raises(InvalidRequestError) as error:
        ChatTemplate(CHATML).render([user()], tools=tools)
    assert str(error.value) == f"[messages] {sentence}"


def test_messages_nested_beyond_measure() -> None:
    nested: Any = []
    for _ in range(100_000):
        nested = [nested]
    with pytest.raises(InvalidRequestError) as error:
        ChatTemplate(CHATML).render([{**user(), "extra": nested}])
    assert str(error.value) == "[messages] messages[0] is nested too deeply; give fewer levels."


def test_a_template_that_fails_says_how() -> None:
    with pytest.raises(InvalidRequestError) as error:
        ChatTemplate("{{ messages[0].content + 1 }}").render([user()])
    assert str(error.value) == (
        "[chat_template] the template fails on these messages (TypeError: can only concatenate "
        'str (not "int") to str); give messages of the roles and fields that this model knows.'
    )


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{% for %}", " in line 1 (Expected an expression, got 'end of statement block')"),
        ("\n{{ x | nothing }}", " in line 2 (No filter named 'nothing'.)"),
        ("{{ " + "(" * 2000 + "1" + ")" * 2000 + " }}", " (maximum recursion depth exceeded"),
    ],
)
def test_a_template_that_is_none(source: str, reason: str) -> None:
    with pytest.raises(TokenizerError) as error:
        ChatTemplate(source).render([user()])
    start = f"[chat_template] the template cannot be compiled{reason}"
    assert str(error.value).startswith(start)
    assert str(error.value).endswith("); download the model again, or give another template.")


def test_a_template_beyond_measure() -> None:
    with pytest.raises(TokenizerError) as error:
        ChatTemplate(" " * (1 << 20) + "x").render([user()])
    assert str(error.value) == (
        "[chat_template] the template is 1048577 characters long; use one of at most 1048576."
    )


def test_what_follows_an_answer() -> None:
    assert ChatTemplate(CHATML).after_answer() == "<|im_end|>\n"
    assert ChatTemplate("{{ messages[0].content }}").after_answer() == ""
    assert ChatTemplate("{{ raise_exception('x') }}").after_answer() == ""


VARIABLES = ("date", "source", "tools_in_user_message", "chat", "kwargs", "args", "text")


@pytest.mark.parametrize("name", VARIABLES)
def test_a_template_reads_any_variable(name: str) -> None:
    template = ChatTemplate("{{ " + name + " }}")
    assert template.render([user()], chat_template_kwargs={name: "given"}) == "given"


@pytest.mark.parametrize("name", ["self", "messages", "tools", "a b", "", 5])
def test_a_variable_that_no_template_could_read_is_refused(name: Any) -> None:
    with pytest.raises(InvalidRequestError) as error:
        ChatTemplate("{{ x }}").render([user()], chat_template_kwargs={name: 1})
    assert str(error.value).startswith(f"[chat_template] chat_template_kwargs has {name!r}, which ")


def test_variables_are_a_dict() -> None:
    with pytest.raises(InvalidRequestError) as error:
        ChatTemplate("").render([user()], chat_template_kwargs=[1])  # type: ignore[arg-type]
    assert str(error.value) == (
        "[chat_template] chat_template_kwargs is of type list; give a dict of the "
        "template's variables."
    )


def test_many_threads_render_at_once() -> None:
    template = ChatTemplate(
        CHATML + "{{ strftime_now('%Y') }}{% for i in range(200) %}{% endfor %}"
    )
    wrong: list[str] = []

    def work(number: int) -> None:
        for turn in range(30):
            text = template.render([user(f"{number} {turn}")], date=datetime(1000 + number, 1, 1))
            if f"\n{number} {turn}<" not in text or not text.endswith(f"{1000 + number}"):
                wrong.append(text)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
