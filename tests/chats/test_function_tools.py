"""Functions as tools: what their signatures and docstrings become, and how they are called."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, wraps
from typing import Annotated, Any, Literal

import jsonschema
import pydantic
import pytest

from convergio_mlx.chats.docstrings import read_docstring
from convergio_mlx.chats.function_tools import bound, definition_of, error_text, result_text
from convergio_mlx.chats.tools import ToolDefinition, parse_tools
from convergio_mlx.errors import InvalidRequestError


@dataclass
class Place:
    city: str
    country: str = "Italy"


class Window(pydantic.BaseModel):
    days: int


def weather(
    place: Place,
    unit: Literal["C", "F"] = "C",
    days: int | None = None,
    words: list[str] = [],  # noqa: B006
) -> str:
    """The weather of a place,
    as it is forecast.

    In two paragraphs.

    Args:
        place: where;
            more of it.
        unit (str): of temperatures.
        words: to look for.

    Returns:
        A sentence.
    """
    return f"{place.city}, {place.country}: {unit} {days} {words}"


def test_a_definition_is_made_of_signature_and_docstring() -> None:
    assert definition_of(weather) == {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "The weather of a place, as it is forecast.\n\nIn two paragraphs.",
            "parameters": {
                "type": "object",
                "properties": {
                    "place": {
                        "description": "where; more of it.",
                        "type": "object",
                        "properties": {
                            "city": {"type": "string"},
                            "country": {"type": "string"},
                        },
                        "required": ["city"],
                    },
                    "unit": {
                        "description": "of temperatures.",
                        "type": "string",
                        "enum": ["C", "F"],
                        "default": "C",
                    },
                    "days": {
                        "anyOf": [{"type": "integer"}, {"type": "null"}],
                        "default": None,
                    },
                    "words": {
                        "description": "to look for.",
                        "type": "array",
                        "items": {"type": "string"},
                        "default": [],
                    },
                },
                "required": ["place"],
            },
        },
    }


def test_a_call_gets_values_of_its_types() -> None:
    given = {"place": {"city": "Rome"}, "unit": "F", "words": ["rain"]}
    assert bound(weather, json.dumps(given))() == "Rome, Italy: F None ['rain']"


def positional(a: int, /, b: Window, *, c: float = 1) -> Any:
    return a, b.days, c


class Counter:
    def __init__(self) -> None:
        self.count = 0

    def add(self, number: Annotated[int, "how many"]) -> int:
        """Adds."""
        self.count += number
        return self.count

    def __call__(self, text: str) -> str:
        """Says it."""
        return text


def places(a: int = 1, b: int = 2, /) -> tuple[int, int]:
    return a, b


def test_a_value_keeps_its_place_behind_one_that_was_not_given() -> None:
    assert bound(places, '{"b": 5}')() == (1, 5)
    assert bound(places, '{"a": 5}')() == (5, 2)


def test_what_a_partial_binds_is_hidden_from_the_model() -> None:
    hidden = partial(partial(weather, unit="F"), words=["secret"])
    parameters = definition_of(hidden)["function"]["parameters"]
    assert [*parameters["properties"]] == ["place", "days"]
    assert bound(hidden, '{"place": {"city": "a"}}')() == "a, Italy: F None ['secret']"
    with pytest.raises(ValueError, match="there is no parameter 'words'"):
        bound(hidden, '{"place": {"city": "a"}, "words": []}')


def logged(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def wrapper(*given: Any, **named: Any) -> Any:
        return function(*given, **named)

    return wrapper


def test_what_is_wrapped_around_a_partial_hides_what_that_binds() -> None:
    hidden = logged(logged(partial(weather, unit="F", words=["secret"])))
    described = definition_of(hidden)["function"]
    assert described == definition_of(partial(weather, unit="F", words=["secret"]))["function"]
    assert described["name"] == "weather"
    assert described["description"].startswith("The weather of a place")
    assert bound(hidden, '{"place": {"city": "a"}}')() == "a, Italy: F None ['secret']"
    with pytest.raises(ValueError, match="there is no parameter 'unit'"):
        bound(hidden, '{"place": {"city": "a"}, "unit": "C"}')
    around = partial(logged(partial(weather, unit="F")), words=[])
    assert definition_of(around)["function"]["name"] == "weather"
    assert bound(around, '{"place": {"city": "a"}}')() == "a, Italy: F None []"
    assert definition_of(logged(weather)) == definition_of(weather)


def test_functions_that_wrap_each_other_are_refused() -> None:
    first, second = logged(weather), logged(weather)
    first.__wrapped__, second.__wrapped__ = second, first  # type: ignore[attr-defined]
    with pytest.raises(InvalidRequestError, match="has no signature"):
        definition_of(first)


def one_name(module: str) -> type[pydantic.BaseModel]:
    """A model with a part that is called as that of another one, and is another."""
    item = pydantic.create_model("Item", **{module: (int, ...)})  # type: ignore[call-overload]
    return pydantic.create_model(module.title(), item=(item, ...))  # type: ignore[no-any-return]


def test_parts_of_one_name_in_two_parameters_are_told_apart() -> None:
    def order(left: Any, right: Any) -> None: ...

    order.__annotations__ = {"left": one_name("apples"), "right": one_name("pears")}
    parameters = definition_of(order)["function"]["parameters"]
    validator = jsonschema.Draft202012Validator(parameters)
    given = {"left": {"item": {"apples": 1}}, "right": {"item": {"pears": 2}}}
    validator.validate(given)
    assert not validator.is_valid({"left": given["right"], "right": given["left"]})
    called = bound(order, json.dumps(given))
    assert [*called.keywords] == ["left", "right"]  # type: ignore[attr-defined]


@dataclass
class Tree:
    name: str
    children: "list[Tree]"


def test_a_recursive_type_in_two_parameters_is_defined_once() -> None:
    def grow(left: Tree, right: Tree) -> None: ...

    parameters = definition_of(grow)["function"]["parameters"]
    assert [*parameters["$defs"]] == ["Tree"]
    assert parameters["properties"]["left"] == parameters["properties"]["right"]
    tree = {"name": "a", "children": [{"name": "b", "children": []}]}
    jsonschema.validate({"left": tree, "right": tree}, parameters)


def test_all_kinds_of_parameters_and_functions_are_called() -> None:
    assert bound(positional, '{"b": {"days": 2}, "a": 1}')() == (1, 2, 1)
    counter = Counter()
    assert bound(counter.add, '{"number": 3}')() == 3
    described = definition_of(counter.add)["function"]
    assert (described["name"], described["description"]) == ("add", "Adds.")
    assert described["parameters"]["properties"]["number"]["description"] == "how many"
    assert bound(partial(positional, 5, c=3), '{"b": {"days": 2}}')() == (5, 2, 3)
    assert definition_of(partial(weather, unit="F"))["function"]["name"] == "weather"
    assert bound(counter, '{"text": "hi"}')() == "hi"
    assert definition_of(counter)["function"]["name"] == "Counter"


@pytest.mark.parametrize(
    "arguments",
    ["[1]", "{", "{}", '{"place": 1}', '{"place": {"city": "a"}, "wind": 1}'],
)
def test_arguments_that_do_not_fit_are_refused(arguments: str) -> None:
    with pytest.raises(ValueError):
        bound(weather, arguments)


def untyped(a) -> None: ...  # type: ignore[no-untyped-def]
def starred(*a: int) -> None: ...
def keyworded(**a: int) -> None: ...
def binary(a: bytes) -> None: ...
def lost(a: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (untyped, "[tools] the tool 'untyped' has no type for 'a'; annotate it"),
        (starred, "[tools] the tool 'starred' takes '*a: int'; give a function"),
        (keyworded, "[tools] the tool 'keyworded' takes '**a: int'; give a function"),
        (binary, "[types] the parameter 'a' of 'binary' has the type <class 'bytes'>; give one"),
        (lost, "[tools] the tool 'lost' has annotations that cannot be read (name 'Nowhere'"),
        (lambda: 1, "[tools] the tool '<lambda>' is a lambda, which has no name; give"),
        (Window, "[tools] the tool 'Window' is a class; give a function"),
    ],
)
def test_a_function_that_no_model_can_call_is_refused(
    function: Callable[..., Any], said: str
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_tools([function])
    assert str(caught.value).startswith(said)


def test_functions_and_definitions_stand_side_by_side() -> None:
    first, second = parse_tools([ToolDefinition("other", "…"), weather])
    assert (first.function, second.function) == (None, weather)
    with pytest.raises(InvalidRequestError, match="two tools are named 'weather'"):
        parse_tools([weather, weather])


def test_results_are_texts_or_json() -> None:
    assert result_text("é") == "é"
    assert result_text({"a": Place("é")}) == '{"a": {"city": "é", "country": "Italy"}}'
    assert result_text(None) == "null"
    assert result_text(Window(days=2)) == '{"days": 2}'
    assert error_text(ValueError("no")) == '{"error": "ValueError: no"}'


NUMPY = """About it.

Parameters
----------
a, b : int
    Both of them,
    together.
c
    The third.

Returns
-------
int
    Nothing.
"""
SPHINX = """About it.

:param a: Both of them,
    together.
:param int b: Both of them, together.
:param c: The third.
:returns: Nothing.
:raises ValueError: never.
"""
GOOGLE = """About it.

Args:
    a (int): Both of them, together.
    b: Both of them,
        together.
    c: The third.

Returns:
    Nothing: at all.
"""


@pytest.mark.parametrize("text", [NUMPY, SPHINX, GOOGLE], ids=["numpy", "sphinx", "google"])
def test_a_docstring_is_read_in_each_form(text: str) -> None:
    both = "Both of them, together."
    assert read_docstring(text) == ("About it.", {"a": both, "b": both, "c": "The third."})


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("", ""),
        ("One line.", "One line."),
        ("Note that it\nis one text.", "Note that it is one text."),
        ("A list:\n\n- one\n- two", "A list:\n\n- one - two"),
        ("Args:\n", ""),
    ],
)
def test_a_docstring_without_parameters_is_all_description(text: str, about: str) -> None:
    assert read_docstring(text) == (about, {})
