"""The jinja2 environment that chat templates run in: the reference's language, within bounds.

A template is a program from the internet. jinja2's sandbox keeps it from Python's internals; this
one also keeps it from taking the host's time and memory: whatever can make something larger than
what it was given is charged to the rendering's `Budget` before it runs, and so is every turn of a
loop and every macro.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import wraps
from typing import Any, TypeVar, cast

from jinja2 import nodes
from jinja2.exceptions import SecurityError, TemplateRuntimeError
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.runtime import Context, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace, pass_context
from jinja2.visitor import NodeTransformer

from convergio_mlx.text.template_budget import (
    CONTAINERS,
    ELEMENT,
    FILTERS,
    OPERATORS,
    Budget,
    BudgetError,
    method_price,
)

BUDGET = "\0budget"
"""The variable that carries a rendering's `Budget`; no template can spell this name."""

_TICK, _BUILT, _CONCAT = "\0tick", "\0built", "\0concat"
_LONG_NUMBER = re.compile(r"\d{4}")
_NUMBER_METHODS = frozenset({"is_integer", "bit_length", "decode"})

T = TypeVar("T")


class RefusalError(TemplateRuntimeError):
    """The template itself said, with `raise_exception`, that it cannot render this."""


def _budget(context: Context) -> Budget:
    return cast(Budget, context.parent[BUDGET])


@pass_context
def _tick(context: Context, size: int) -> None:
    _budget(context).charge(size)


@pass_context
def _built(context: Context, value: T) -> T:
    """Charges a new text or container by its length; refuses one whose contents explode."""
    if isinstance(value, str):
        _budget(context).charge(len(value))
    elif isinstance(value, CONTAINERS):
        budget = _budget(context)
        budget.size(value)
        budget.charge(len(value) * ELEMENT)
    return value


@pass_context
def _concat(context: Context, parts: Sequence[Any]) -> str:
    budget = _budget(context)
    budget.charge(sum(map(budget.size, parts)))
    return "".join(map(str, parts))


@pass_context
def _written(context: Context, value: T) -> T:
    """Charges what `{{ … }}` writes."""
    budget = _budget(context)
    budget.charge(budget.size(value))
    return value


def _metered(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The filter, charged for what it takes and what it gives."""
    passed = getattr(getattr(function, "jinja_pass_arg", None), "name", None)
    price = FILTERS.get(name)

    @pass_context
    @wraps(function, updated=())
    def metered(context: Context, *args: Any, **kwargs: Any) -> Any:
        budget = _budget(context)
        if name == "join":
            args = (list(args[0]), *args[1:])  # a generator can be measured only once it has run
        budget.charge(1 if price is None else price(budget, *args, **kwargs))
        if passed == "context":
            args = (context, *args)
        elif passed == "eval_context":
            args = (context.eval_ctx, *args)
        elif passed == "environment":
            args = (context.environment, *args)
        return _built(context, function(*args, **kwargs))

    return metered


class _Metering(NodeTransformer):
    """Puts charges into a parsed template where the environment has no hook for them."""

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 (jinja2's names)
        return self._tick_in(node)

    def visit_Macro(self, node: nodes.Macro) -> nodes.Node:  # noqa: N802
        return self._tick_in(node)

    def visit_CallBlock(self, node: nodes.CallBlock) -> nodes.Node:  # noqa: N802
        return self._tick_in(node)

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _filter(nodes.List(node.nodes, lineno=node.lineno), _CONCAT)

    def visit_List(self, node: nodes.List) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _filter(node, _BUILT)

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _filter(node, _BUILT)

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _filter(node, _BUILT) if node.ctx == "load" else node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _filter(node, _BUILT) if isinstance(node.arg, nodes.Slice) else node

    def _tick_in(self, node: nodes.For | nodes.Macro | nodes.CallBlock) -> nodes.Node:
        """Charges each run of a body, with the plain text in it."""
        self.generic_visit(node)
        size = 1 + sum(len(text.data) for text in node.find_all(nodes.TemplateData))
        tick = _filter(nodes.Const(size, lineno=node.lineno), _TICK)
        node.body.insert(0, nodes.ExprStmt(tick, lineno=node.lineno))
        return node


def _filter(node: nodes.Expr, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


class Generation(Extension):
    """`{% generation %} … {% endgeneration %}`, which marks an answer for training; writes it."""

    tags = {"generation"}  # noqa: RUF012 (jinja2 declares it so)

    def parse(self, parser: Parser) -> nodes.Node:
        """Makes the body a block with a scope of its own, as the reference does."""
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("written"), [], [], body).set_lineno(line)

    def written(self, caller: Macro) -> str:
        """The body's text."""
        return str(caller())


class _TemplateDict:
    """`dict` without the attributes of the class."""

    def __call__(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:
        return dict(*args, **kwargs)

    def fromkeys(self, *args: Any) -> dict[Any, Any]:
        return dict.fromkeys(*args)


class _TemplateNamespace(Namespace):
    """`namespace` that holds no name beginning with an underscore, as the reference's."""

    def __init__(*args: Any, **kwargs: Any) -> None:
        self, values = args[0], dict(*args[1:], **kwargs)
        for name in values:
            _TemplateNamespace._check(name)
        Namespace.__init__(self, values)

    def __setitem__(self, name: str, value: Any) -> None:
        _TemplateNamespace._check(name)
        super().__setitem__(name, value)

    @staticmethod
    def _check(name: str) -> None:
        if isinstance(name, str) and name.startswith("_"):
            raise SecurityError(f"a namespace cannot hold {name!r}, which begins with '_'")


def _raise_exception(message: object) -> None:
    raise RefusalError(str(message))


@pass_context
def _strftime_now(context: Context, form: str) -> str:
    if _LONG_NUMBER.search(form):
        raise BudgetError(f"it asks for a date as wide as {form!r}")
    return (_budget(context).now or datetime.now()).strftime(form)


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


class Environment(ImmutableSandboxedEnvironment):
    """Compiles and runs chat templates; one serves all threads."""

    intercepted_binops = frozenset(OPERATORS)

    def __init__(self) -> None:
        """Sets the reference's options, filters and functions."""
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=[Generation, loopcontrols],
            finalize=_written,
        )
        filters: dict[str, Callable[..., Any]] = {**self.filters, "tojson": _to_json}
        for name in ("urlize", "xmlattr"):  # of HTML: no chat needs them and no bound fits them
            del filters[name]
        self.filters = {name: _metered(name, function) for name, function in filters.items()}
        self.filters |= {_TICK: _tick, _BUILT: _built, _CONCAT: _concat}
        del self.globals["lipsum"]
        self.globals |= {
            "raise_exception": _raise_exception,
            "strftime_now": _strftime_now,
            "dict": _TemplateDict(),
            "namespace": _TemplateNamespace,
        }

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Charges an operator that can make more than it takes, then applies it."""
        budget = _budget(context)
        budget.charge(OPERATORS[operator](budget, left, right))
        return self.binop_table[operator](left, right)

    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Charges a call for what it takes and what it gives."""
        method = getattr(obj, "__wrapped__", obj)  # jinja2 wraps `format`
        owner, name = getattr(method, "__self__", None), getattr(method, "__name__", "")
        if isinstance(owner, str):
            if name == "join" and len(args) == 1:
                args = (list(args[0]),)
            budget = _budget(context)
            budget.charge(method_price(budget, owner, name, *args, **kwargs))
        elif isinstance(owner, int | float | bytes) and name not in _NUMBER_METHODS:
            raise SecurityError(f"{name!r} of a {type(owner).__name__} is not available")
        return _built(context, super().call(context, obj, *args, **kwargs))

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        return cast(nodes.Template, _Metering().visit(tree))
