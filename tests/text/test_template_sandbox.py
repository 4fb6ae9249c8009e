"""Templates that would take the host's time or memory, or reach into it, are stopped."""

import subprocess
import sys
import time
from typing import Any

import pytest

from convergio_mlx.errors import InvalidRequestError, TokenizerError
from convergio_mlx.text import template_budget
from convergio_mlx.text.chat_template import ChatTemplate

USER = [{"role": "user", "content": "hi"}]

ENDLESS = {
    "nested loops": "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}"
    "{% endfor %}",
    "macro calling itself twice": "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}"
    "{% endif %}{% endmacro %}{{ f(60) }}",
    "recursive loop": "{% for n in range(2) recursive %}{{ loop(range(2)) if loop.depth < 60 }}"
    "{% endfor %}",
    "heavy filters": "{% for i in range(99999) %}{% set x = range(99999) | sum %}{% endfor %}",
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_endless(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template_budget, "MAX_SECONDS", 0.25)
    start = time.thread_time()
    with pytest.raises(InvalidRequestError) as error:
        ChatTemplate(ENDLESS[kind]).render(USER)
    assert str(error.value) == (
        "[chat_template] the template was stopped because it computes for more than 0.25 seconds; "
        "give fewer messages, or another template."
    )
    assert time.thread_time() - start < 10


def twice(statement: str, start: str = "x = 'abcdefgh'", use: str = "") -> str:
    """Forty times a statement that makes x twice as large: a million million times."""
    return f"{{% set {start} %}}" + statement * 40 + use


SET = "{%% set x = %s %%}"
BIG = {
    "repetition": "{{ 'a' * 10**10 }}",
    "repetition, other side": "{{ 10**10 * 'a' }}",
    "repeated list": "{{ ([0] * 10**10) | length }}",
    "repeated tuple": "{{ ((0,) * 10**10) | length }}",
    "repeated bytes": "{{ 'a'.encode() * 10**10 }}",
    "power": "{{ 10 ** (10 ** 10) }}",
    "squares": "{% set x = 10 %}" + SET % "x * x" * 40,
    "sum": twice(SET % "x + x"),
    "join by operator": twice(SET % "x ~ x"),
    "captured": twice("{% set x %}{{ x }}{{ x }}{% endset %}"),
    "filter block": twice("{% set x %}{% filter trim %}{{ x }}{{ x }}{% endfilter %}{% endset %}"),
    "macro": "{% macro m(x) %}{{ x }}{{ x }}{% endmacro %}" + twice(SET % "m(x)"),
    "percent": twice(SET % "'%s%s' % (x, x)"),
    "format method": twice(SET % "'{0}{0}'.format(x)"),
    "format filter": twice(SET % "'%s%s' | format(x, x)"),
    "replace method": twice(SET % "x.replace('a', x)"),
    "replace filter": twice(SET % "x | replace('a', x)"),
    "join method": twice(SET % "''.join([x, x])"),
    "join filter": twice(SET % "[x, x] | join"),
    "join of a generator": twice(SET % "[x, x] | map('string') | join"),
    "separator": twice(SET % "x.join('abc')"),
    "namespace": "{% set n = namespace(x='aa') %}" + "{% set n.x = n.x + n.x %}" * 40,
    "list": twice(SET % "x + x", "x = [1]"),
    "nested lists": twice(SET % "[x, x]", use="{{ x }}"),
    "nested tuples": twice(SET % "(x, x)", use="{{ {x: 1} }}"),
    "nested dicts": twice(SET % "{'a': x, 'b': x}", use="{{ x | tojson }}"),
    "nested dict calls": twice(SET % "dict(a=x, b=x)", use="{{ x | string }}"),
    "nested batches": twice(SET % "[x] | batch(2, x) | list", use="{{ x ~ '' }}"),
    "compared": twice(SET % "[x, x]", use="{{ x == x }}"),
    "center filter": "{{ 'a' | center(10**10) }}",
    "center": "{{ 'a'.center(10**10) }}",
    "left": "{{ 'a'.ljust(10**10) }}",
    "zeros": "{{ 'a'.zfill(10**10) }}",
    "tabs": "{{ '\t'.expandtabs(10**10) }}",
    "indent": "{{ 'a\nb' | indent(10**10) }}",
    "width, percent": "{{ '%10000000000d' % 1 }}",
    "precision, percent": "{{ '%.10000000000f' % 1 }}",
    "width by value, percent": "{{ '%*d' % (10**10, 1) }}",
    "width, format filter": "{{ '%10000000000d' | format(1) }}",
    "width, format": "{{ '{:10000000000}'.format(1) }}",
    "width by value, format": "{{ '{:{}}'.format(1, 10**10) }}",
    "width, format map": "{{ '{a:10000000000}'.format_map({'a': 1}) }}",
    "date": "{{ strftime_now('%1000000000d') }}",
    "json indent": "{{ [[1]] | tojson(indent=10**10) }}",
    "json indent, text": "{{ [[1]] | tojson(indent='a' * 10**9) }}",
    "json separators": twice(SET % "x ~ x", "x = 'ab'", "{{ [1, 2] | tojson(separators=(x, x)) }}"),
    "wrap": "{% set x = 'a' * 10**6 %}{{ x | wordwrap(1, wrapstring=x) }}",
    "batch": "{{ [1] | batch(10**10, 0) | list }}",
    "slice": "{{ [1] | slice(10**10) | list }}",
    "round": "{{ 1 | round(10**9, 'ceil') }}",
    "kept texts": "{% set n = namespace(l=[]) %}{% for i in range(99999) %}"
    "{% set n.l = n.l + ['a' * 10**6 ~ i] %}{% endfor %}",
    "kept slices": "{% set n = namespace(l=[]) %}{% set r = range(99999) | list %}"
    "{% for i in range(99999) %}{% set n.l = n.l + [r[1:]] %}{% endfor %}",
    "output": "{% for i in range(99999) %}{{ 'x' * 10000 }}{% endfor %}",
    "plain output": "{% for i in range(99999) %}" + "x" * 10000 + "{% endfor %}",
    "plain output, captured": "{% set y %}{% for i in range(99999) %}"
    + "x" * 10000
    + "{% endfor %}{% endset %}",
    "plain output of a caller": "{% macro m() %}{% for i in range(99999) %}{{ caller() }}"
    "{% endfor %}{% endmacro %}{% set y %}{% call m() %}"
    + "x" * 10000
    + "{% endcall %}{% endset %}",
    "captured output": "{% set y %}{% for i in range(99999) %}{{ 'x' * 10000 }}{% endfor %}"
    "{% endset %}",
}


@pytest.mark.parametrize("kind", BIG)
def test_too_much(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template_budget, "MAX_SECONDS", 1.0)
    with pytest.raises(InvalidRequestError) as error:
        ChatTemplate(BIG[kind]).render(USER)
    assert str(error.value).startswith("[chat_template] the template was stopped because it ")


def test_none_of_them_takes_memory() -> None:
    code = f"""
import pathlib
import resource
from convergio_mlx.text import template_budget
from convergio_mlx.text.chat_template import ChatTemplate
from convergio_mlx.errors import InvalidRequestError
template_budget.MAX_SECONDS = 1.0
ChatTemplate("").render({USER!r})
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
for kind, source in {BIG!r}.items():
    try:
        ChatTemplate(source).render({USER!r})
    except InvalidRequestError as error:
        assert "MemoryError" not in str(error), kind
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
status = pathlib.Path("/proc/self/status")
if status.exists():  # there ru_maxrss begins at that of the process that started this one
    peak = status.read_text().split("VmHWM:")[1].split()[0]
print(peak)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    kilobytes = int(done.stdout) // (1024 if sys.platform == "darwin" else 1)
    assert kilobytes < 1 << 20


FORBIDDEN = {
    "class": "{{ ''.__class__.__mro__ }}",
    "class by filter": "{{ ('' | attr('__class__')).__mro__ }}",
    "class by format": "{{ '{0.__class__.__mro__}'.format('') }}",
    "class by item": "{{ ''['__class__'].mro() }}",
    "globals of a function": "{{ raise_exception.__globals__ }}{{ range.__self__.x }}",
    "environment": "{{ self.__init__.__globals__.x }}",
    "change of messages": "{{ messages.append(1) }}",
    "change of a message": "{{ messages[0].update(a=1) }}",
    "bytes of a number": "{{ (5).to_bytes(10**10, 'big') }}",
    "methods of bytes": "{{ 'a'.encode().center(10**10) }}",
    "translate": "{{ 'a'.translate({97: 'b'}) }}",
    "sum of lists": "{{ [[1], [2]] | sum(start=[]) }}",
    "namespace written": "{{ namespace(a=1) }}",
    "endless macro": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "the budget": "{{ environment.x.y }}",
    "files": "{% include '/etc/passwd' %}",
    "imports": "{% import 'os' as os %}",
}


@pytest.mark.parametrize("kind", FORBIDDEN)
def test_forbidden(kind: str) -> None:
    with pytest.raises(InvalidRequestError) as error:
        ChatTemplate(FORBIDDEN[kind]).render(USER)
    assert str(error.value).startswith("[chat_template] the template fails on these messages (")


@pytest.mark.parametrize("source", ["{{ 'a' | urlize }}", "{{ {} | xmlattr }}"])
def test_filters_for_html_are_left_out(source: str) -> None:
    with pytest.raises(TokenizerError):
        ChatTemplate(source).render(USER)


def test_an_error_keeps_nothing_of_what_was_built() -> None:
    with pytest.raises(InvalidRequestError) as error:
        ChatTemplate(BIG["output"]).render(USER)
    assert error.value.__cause__ is None
    assert error.value.__context__ is None


def test_a_template_sees_no_budget() -> None:
    source = "{% for name in ['\\0budget', 'budget'] %}{{ self[name] is defined }}{% endfor %}"
    assert ChatTemplate(source).render(USER) == "FalseFalse"


def test_a_long_conversation_is_within_bounds() -> None:
    """A window of a million tokens, in a template that copies it in every way real ones do."""
    source = (
        "{% set ns = namespace(text='', last=-1) %}"
        "{% for m in messages[::-1] %}{% if m.role == 'user' and ns.last < 0 %}"
        "{% set ns.last = loop.index0 %}{% endif %}{% endfor %}"
        "{% for m in messages %}{% set body = m.content | trim %}"
        "{% if '</think>' in body %}{% set body = body.split('</think>')[-1] %}{% endif %}"
        "{{- '<|im_start|>' + m.role + '\\n' + body + '<|im_end|>' + '\\n' }}{% endfor %}"
    )
    turns: list[dict[str, Any]] = []
    for index in range(2000):
        turns.append({"role": "user", "content": f"{index} " + "word " * 200})
        turns.append({"role": "assistant", "content": "<think>x</think>\n" + "word " * 200})
    start = time.thread_time()
    text = ChatTemplate(source).render(turns)
    assert len(text) > 4_000_000
    assert time.thread_time() - start < template_budget.MAX_SECONDS
