"""Python functions as tools: the definition out of signature and docstring, and how one is called
with what a model wrote."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import Any, NoReturn

from convergio_mlx.chats.docstrings import read_docstring
from convergio_mlx.errors import InvalidRequestError
from convergio_mlx.structured.type_schemas import Schema, members_of, schemas_of
from convergio_mlx.structured.typed_values import as_json, problem_text, typed

Function = Callable[..., Any]

_VARIABLE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_POSITIONAL = inspect.Parameter.POSITIONAL_ONLY


def definition_of(function: Function) -> dict[str, Any]:
    """A function's tool definition in the shape of OpenAI's API: its name, what its docstring says,
    and the JSON Schema of its parameters. Those with a default are optional.

    Raises:
        InvalidRequestError: a parameter has no type, or one that JSON has no values of; it takes
            `*args` or `**kwargs`; a class was given.
    """
    name = _name(function)
    about, texts = read_docstring(_docstring(function))
    kinds = _kinds(function)
    given = {f"the parameter {one.name!r} of {name!r}": one for one in _parameters(function)}
    schemas, definitions = schemas_of({where: kinds[one.name] for where, one in given.items()})
    properties: dict[str, Schema] = {}
    for where, parameter in given.items():
        text = texts.get(parameter.name)
        described = {"description": text} if text else {}
        properties[parameter.name] = {**described, **schemas[where], **_default(parameter.default)}
    required = [one.name for one in given.values() if one.default is one.empty]
    parameters: Schema = {"type": "object", "properties": properties, "required": required}
    if definitions:
        parameters["$defs"] = definitions
    whole = {"name": name, "description": about, "parameters": parameters}
    return {"type": "function", "function": whole}


def bound(function: Function, arguments: str) -> Callable[[], Any]:
    """The call of a function with arguments as a model wrote them: JSON, made what its annotations
    say.

    Raises:
        ValueError: they are no JSON object, or do not fit the parameters.
    """
    values = json.loads(arguments)
    if not isinstance(values, dict):
        raise ValueError("the arguments are no JSON object")
    kinds = _kinds(function)
    positional, named = [], {}
    for parameter in _parameters(function):
        if parameter.name not in values:
            if parameter.default is parameter.empty:
                raise ValueError(f"the argument {parameter.name!r} is missing")
            if parameter.kind is _POSITIONAL:  # those after it keep their places
                positional.append(parameter.default)
            continue
        name = parameter.name
        value = typed(kinds[name], values.pop(name), name)
        if parameter.kind is _POSITIONAL:
            positional.append(value)
        else:
            named[name] = value
    if values:
        raise ValueError(f"there is no parameter {min(values)!r}")
    return partial(function, *positional, **named)


def result_text(value: Any) -> str:
    """What a function returned as the content of a tool's message: a text as it is, else JSON.

    Raises:
        ValueError, TypeError: it has no such form, or half of a surrogate pair.
    """
    text = value if isinstance(value, str) else json.dumps(as_json(value), ensure_ascii=False)
    text.encode()
    return text


def error_text(error: Exception) -> str:
    """What a function raised, likewise; half of a surrogate pair becomes a question mark."""
    told = f"{type(error).__name__}: {problem_text(error)}"
    return json.dumps({"error": told}, ensure_ascii=False).encode(errors="replace").decode()


def is_async(function: Function) -> bool:
    """Whether calling it gives something to await."""
    while isinstance(function, partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(_call_of(function))


def _parameters(function: Function) -> list[inspect.Parameter]:
    """What a model gives. Keywords that a `functools.partial` binds are the host's own."""
    try:
        found = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError) as error:
        return _refuse(function, f"has no signature ({error})", "give a function written in Python")
    for parameter in found:
        if parameter.kind in _VARIABLE:
            _refuse(
                function, f"takes {str(parameter)!r}", "give a function whose parameters have names"
            )
    host = _bound_keywords(function)
    return [parameter for parameter in found if parameter.name not in host]


def _kinds(function: Function) -> dict[str, Any]:
    """The types of a function's parameters."""
    inner, parameters = _unpacked(function), _parameters(function)
    is_function = inspect.isroutine(inner)
    try:
        hints = members_of(inner if is_function else _call_of(inner))
    except Exception as error:
        return _refuse(
            function,
            f"has annotations that cannot be read ({error})",
            "define what they name in the function's module",
        )
    for parameter in parameters:
        if parameter.name not in hints:
            _refuse(function, f"has no type for {parameter.name!r}", "annotate it, as in `x: str`")
    return hints


def _default(value: Any) -> Schema:
    """The keyword `default`; nothing where there is none, or JSON has no such value."""
    if value is inspect.Parameter.empty:
        return {}
    try:
        plain = as_json(value)
        json.dumps(plain, allow_nan=False)
    except (TypeError, ValueError):
        return {}
    return {"default": plain}


def _name(function: Function) -> str:
    if isinstance(function, type):
        _refuse(function, "is a class", "give a function, or a ToolDefinition")
    inner = _unpacked(function)
    name = getattr(inner, "__name__", type(inner).__name__)
    if name == "<lambda>":
        _refuse(function, "is a lambda, which has no name", "give a function that was defined")
    return str(name)


def _docstring(function: Function) -> str:
    inner = _unpacked(function)
    return inspect.getdoc(inner if inspect.isroutine(inner) else _call_of(inner)) or ""


def _unpacked(function: Function) -> Function:
    """The function behind a `functools.partial`, which has neither name nor docstring nor
    annotations, and neither has what `functools.wraps` made of one."""
    found = function
    for outer, inner in pairwise(_layers(function)):
        if isinstance(outer, partial):
            found = inner
    return found


def _bound_keywords(function: Function) -> set[str]:
    partials = [one for one in _layers(function) if isinstance(one, partial)]
    return {name for one in partials for name in one.keywords}


def _layers(function: Function) -> Iterator[Function]:
    """A function and what it calls, as far as `functools.partial` and `functools.wraps` tell and
    `inspect.signature` looks, the outermost first."""
    seen: set[int] = set()
    while id(function) not in seen:
        seen.add(id(function))
        yield function
        if isinstance(function, partial):
            function = function.func
        elif not hasattr(function, "__signature__"):
            function = getattr(function, "__wrapped__", function)


def _call_of(function: Function) -> Any:
    return type(function).__call__


def _refuse(function: Function, what: str, remedy: str) -> NoReturn:
    name = getattr(function, "__name__", None) or repr(function)
    raise InvalidRequestError(f"[tools] the tool {name!r} {what}; {remedy}.")
