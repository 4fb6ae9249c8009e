"""Hostile templates are stopped at limits of time and memory, which cost the host nothing."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import pytest

from convergio_mlx.errors import InvalidRequestError, TokenizerError
from convergio_mlx.text import template_process, template_renderer
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
    "pretty print": "{% set x = [range(99999) | list] * 400 %}{{ x | pprint | length }}",
    "unique": "{% set r = range(99999) | list %}{% set n = namespace(l=[]) %}"
    "{% for i in range(9) %}{% set n.l = n.l + r %}{% endfor %}"
    "{% for i in range(999) %}{{ n.l | unique | list | length }}{% endfor %}",
    "division of long numbers": "{% set a = 7 ** 4000000 %}{% set b = 3 ** 4000000 %}{{ a // b }}",
    "power": "{{ (10 ** (10 ** 9)) // 3 }}",
    "nested expressions": "{{ " + "-" * 100000 + "1 }}",
    "a large template": "{% if x %}{{ y }}{% endif %}" * 30000,
}


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
    "title": "{{ ('a ' * 10**8) | title | length }}{{ ('a ' * 10**8) | title | title | length }}",
    "texts in a list": "{% set n = namespace(l=[]) %}{% for i in range(99999) %}"
    "{% set n.l = n.l + ['%s' % i * 10**5] %}{% endfor %}",
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


HOSTILE = {**ENDLESS, **BIG}
EVERYDAY = ("repetition", "kept texts", "output", "width, percent")


def stopped(kind: str) -> str:
    start = time.monotonic()
    with pytest.raises((InvalidRequestError, TokenizerError)) as error:
        ChatTemplate(HOSTILE[kind]).render(USER)
    assert time.monotonic() - start < template_process.MAX_WAIT + 5
    return str(error.value)


@pytest.mark.parametrize("kind", EVERYDAY)
def test_a_hostile_template_is_stopped(kind: str) -> None:
    assert stopped(kind).startswith("[chat_template] the template ")


@pytest.mark.slow
@pytest.mark.parametrize("kind", [kind for kind in HOSTILE if kind not in EVERYDAY])
def test_every_hostile_template_is_stopped(kind: str) -> None:
    assert stopped(kind).startswith("[chat_template] the template ")


@pytest.mark.slow
def test_one_that_computes_without_end_is_told_so() -> None:
    assert stopped("nested loops") == (
        "[chat_template] the template was stopped because it computes for more than 5 seconds; "
        "give fewer messages, or another template."
    )


def test_the_reason_is_told() -> None:
    assert stopped("output") == (
        "[chat_template] the template was stopped because it writes more than 33554432 characters; "
        "give fewer messages, or another template."
    )
    if sys.platform == "linux":
        assert stopped("repetition") == (
            "[chat_template] the template was stopped because it takes more than 448 MB; "
            "give fewer messages, or another template."
        )


def test_a_host_with_little_memory_is_unharmed() -> None:
    kinds = ("repetition", "kept texts", "output")
    code = f"""
import resource
from convergio_mlx.errors import InvalidRequestError
from convergio_mlx.text.chat_template import ChatTemplate
for source in {[HOSTILE[kind] for kind in kinds]!r}:
    try:
        ChatTemplate(source).render({USER!r})
    except InvalidRequestError:
        continue
    raise SystemExit("rendered")
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(peak)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    kilobytes = int(done.stdout) // (1024 if sys.platform == "darwin" else 1)
    assert kilobytes < 500_000


FORBIDDEN = {
    "class": "{{ ''.__class__.__mro__ }}",
    "class by filter": "{{ ('' | attr('__class__')).__mro__ }}",
    "class by format": "{{ '{0.__class__.__mro__}'.format('') }}",
    "class by item": "{{ ''['__class__'].mro() }}",
    "globals of a function": "{{ raise_exception.__globals__ }}{{ range.__self__.x }}",
    "environment": "{{ self.__init__.__globals__.x }}",
    "change of messages": "{{ messages.append(1) }}",
    "change of a message": "{{ messages[0].update(a=1) }}",
    "endless macro": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "files": "{% include '/etc/passwd' %}",
    "imports": "{% import 'os' as os %}",
}


@pytest.mark.parametrize("kind", FORBIDDEN)
def test_forbidden(kind: str) -> None:
    with pytest.raises(InvalidRequestError) as error:
        ChatTemplate(FORBIDDEN[kind]).render(USER)
    assert str(error.value).startswith("[chat_template] the template fails on these messages (")


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
    text = ChatTemplate(source).render(turns)
    assert len(text) > 4_000_000


def test_one_process_serves_many_renderings() -> None:
    template_process.close_all()
    template = ChatTemplate("{{ messages[0].content }}")
    assert template.render(USER) == "hi"
    (process,) = template_process._idle
    assert [template.render(USER) for _ in range(3)] == ["hi"] * 3
    assert template_process._idle == [process]


def test_an_idle_process_that_was_killed_is_replaced() -> None:
    template = ChatTemplate("{{ messages[0].content }}")
    template.render(USER)
    for process in template_process._idle:
        os.kill(process._process.pid, signal.SIGKILL)
        process._process.wait()
    assert template.render(USER) == "hi"


def test_an_idle_process_is_replaced_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    template = ChatTemplate("{{ messages[0].content }}")
    template.render(USER)
    before = list(template_process._idle)
    monkeypatch.setattr(template_process, "_IDLE_SECONDS", 0.0)
    assert template.render(USER) == "hi"
    assert not set(before) & set(template_process._idle)


def test_more_renderings_than_processes_wait() -> None:
    template = ChatTemplate("{% for i in range(20000) %}{% endfor %}{{ messages[0].content }}")
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(template.render(USER))) for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["hi"] * 12
    assert len(template_process._idle) <= template_process.MAX_PROCESSES


def _render_in_child(queue: Any) -> None:
    queue.put(ChatTemplate("{{ messages[0].content }}!").render(USER))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_process_starts_its_own() -> None:
    template = ChatTemplate("{{ messages[0].content }}")
    template.render(USER)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_render_in_child, args=(queue,))
    child.start()
    assert queue.get(timeout=600) == "hi!"
    child.join()
    assert template.render(USER) == "hi"


def test_without_an_interpreter_nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    template_process.close_all()
    monkeypatch.setattr(sys, "executable", "/opt/editor/bin/editor")
    template = ChatTemplate("{{ messages[0].content }}")
    with pytest.raises(TokenizerError) as error:
        template.render(USER)
    assert str(error.value) == (
        "[chat_template] no process can be started to render the model's template "
        "(/opt/editor/bin/editor is no Python interpreter); set CONVERGIO_MLX_PYTHON to a Python "
        "interpreter of this version, call convergio_mlx.freeze_support() first in a frozen "
        "program, or, for templates that you trust, set CONVERGIO_MLX_TEMPLATES=in-process."
    )
    monkeypatch.setenv("CONVERGIO_MLX_TEMPLATES", "in-process")
    assert template.render(USER) == "hi"
    monkeypatch.delenv("CONVERGIO_MLX_TEMPLATES")
    assert ChatTemplate(template.source, trusted=True).render(USER) == "hi"


@pytest.mark.parametrize("program", ["/nonexistent/python", "/bin/false"])
def test_an_interpreter_that_does_not_run(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    template_process.close_all()
    monkeypatch.setenv("CONVERGIO_MLX_PYTHON", program)
    with pytest.raises(TokenizerError, match=r"no process can be started .*CONVERGIO_MLX_PYTHON"):
        ChatTemplate("{{ messages[0].content }}").render(USER)


def test_the_renderer_runs_in_this_process_too() -> None:
    kind, text = template_renderer.render("{{ strftime_now('%Y') }}", {}, "1999-01-02T03:04:05")
    assert (kind, text) == (template_renderer.RENDERED, "1999")
