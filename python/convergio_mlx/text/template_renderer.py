"""The language of chat templates, as transformers has it, and a process that renders them.

Imports nothing of this package: `template_process.py` runs this file as a program with limits on
time and memory, since a template is a program from the internet.
"""

from __future__ import annotations

import contextlib
import json
import resource
import signal
import struct
import sys
from datetime import datetime
from functools import lru_cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from jinja2 import Template

MAX_SECONDS = 5
"""Processor time of one rendering, compilation included. One takes milliseconds."""
MAX_BYTES = 448 << 20
"""Address space of the rendering process: some 30 MB are Python's own."""
MAX_OUTPUT = 32 << 20
"""Characters of a rendered conversation: far beyond any context window."""

HEADER = struct.Struct(">cI")
"""Before each message of the process: what it is, and the bytes that follow."""
READY, RENDERED, REFUSED, UNSOUND, STOPPED, FAILED = b"r", b"t", b"x", b"u", b"s", b"f"


@lru_cache(maxsize=1)
def _environment() -> SimpleNamespace:
    """The jinja2 environment, and the error of a template that refuses its messages."""
    from jinja2 import nodes
    from jinja2.exceptions import SecurityError, TemplateError
    from jinja2.ext import Extension, loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment
    from jinja2.utils import Namespace

    class RefusalError(TemplateError):
        """The template said, with `raise_exception`, that it cannot render this."""

    class Generation(Extension):
        """`{% generation %} … {% endgeneration %}` marks an answer for training; writes it."""

        tags = {"generation"}  # noqa: RUF012 (jinja2 declares it so)

        def parse(self, parser: Any) -> nodes.Node:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return nodes.CallBlock(self.call_method("written"), [], [], body).set_lineno(line)

        def written(self, caller: Any) -> str:
            return str(caller())

    class TemplateDict:
        """`dict` without the attributes of the class."""

        def __call__(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:
            return dict(*args, **kwargs)

        def fromkeys(self, *args: Any) -> dict[Any, Any]:
            return dict.fromkeys(*args)

    class TemplateNamespace(Namespace):
        """`namespace` that holds no name beginning with an underscore."""

        def __init__(*args: Any, **kwargs: Any) -> None:
            self, values = args[0], dict(*args[1:], **kwargs)
            for name in values:
                TemplateNamespace.check(name)
            Namespace.__init__(self, values)

        def __setitem__(self, name: str, value: Any) -> None:
            TemplateNamespace.check(name)
            super().__setitem__(name, value)

        @staticmethod
        def check(name: object) -> None:
            if isinstance(name, str) and name.startswith("_"):
                raise SecurityError(f"a namespace cannot hold {name!r}, which begins with '_'")

    def raise_exception(message: object) -> None:
        raise RefusalError(str(message))

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals |= {
        "raise_exception": raise_exception,
        "strftime_now": lambda form: datetime.now().strftime(form),
        "dict": TemplateDict(),
        "namespace": TemplateNamespace,
    }
    return SimpleNamespace(environment=environment, refusal=RefusalError)


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | str | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """jinja2's own escapes HTML, which a model must not see."""
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


@lru_cache(maxsize=32)
def _compiled(source: str) -> Template:
    template: Template = _environment().environment.from_string(source)
    return template


def render(source: str, variables: dict[str, Any], now: str | None) -> tuple[bytes, str]:
    """One of the kinds above, and the rendered text or what is wrong.

    Args:
        source: the template.
        variables: JSON's types alone.
        now: what `strftime_now` takes for now, in ISO 8601; the clock's time without it.
    """
    try:
        template = _compiled(source)
    except MemoryError:
        return STOPPED, _memory()
    except Exception as error:
        line = getattr(error, "lineno", None)
        return UNSOUND, f"{'' if line is None else f' in line {line}'} ({error})"
    if now is not None:
        variables = {"strftime_now": datetime.fromisoformat(now).strftime, **variables}
    return _written(template, variables)


def _written(template: Template, variables: dict[str, Any]) -> tuple[bytes, str]:
    parts, size = [], 0
    try:
        for part in template.generate(variables):
            parts.append(part)
            size += len(part)
            if size > MAX_OUTPUT:
                return STOPPED, f"it writes more than {MAX_OUTPUT} characters"
        return RENDERED, "".join(parts)
    except _environment().refusal as error:
        return REFUSED, str(error)
    except MemoryError:
        parts.clear()
        return STOPPED, _memory()
    except Exception as error:
        return FAILED, f"{type(error).__name__}: {str(error)[:1000]}"


def _memory() -> str:
    return f"it takes more than {MAX_BYTES >> 20} MB"


def _limit(kind: int, soft: int, hard: int) -> None:
    with contextlib.suppress(OSError, ValueError):  # macOS has no limit of address space
        resource.setrlimit(kind, (soft, hard))


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Renders one request after the other until there are no more, or one takes too much."""
    _environment()
    _limit(resource.RLIMIT_AS, MAX_BYTES, MAX_BYTES)
    _limit(resource.RLIMIT_CORE, 0, 0)
    _limit(resource.RLIMIT_FSIZE, 0, 0)
    answers.write(HEADER.pack(READY, 0))
    answers.flush()
    kind = READY
    while kind != STOPPED and (header := requests.read(HEADER.size)):
        # of this request alone: RLIMIT_CPU counts by clock ticks, which over many short renderings
        # add up to other seconds than getrusage tells
        signal.setitimer(signal.ITIMER_PROF, MAX_SECONDS)
        try:
            source, variables, now = json.loads(requests.read(HEADER.unpack(header)[1]))
            kind, text = render(source, variables, now)
            payload = text.encode("utf-8", "surrogatepass")
        except MemoryError:
            kind, payload = STOPPED, _memory().encode()
        signal.setitimer(signal.ITIMER_PROF, 0)
        answers.write(HEADER.pack(kind, len(payload)))
        answers.write(payload)
        answers.flush()


if __name__ == "__main__":
    sys.path += sys.argv[1:]
    serve(sys.stdin.buffer, sys.stdout.buffer)
