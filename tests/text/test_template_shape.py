"""What chat templates lack, and how messages reach the model all the same."""

from functools import cache
from typing import Any

import pytest

from convergio_mlx.errors import InvalidRequestError
from convergio_mlx.text.chat_template import ChatTemplate
from everyday import one_in
from vocabularies import DATA

NAMES = {"bos_token": "<s>", "eos_token": "</s>"}
REAL = {
    path.stem: path
    for folder in ("chat_templates", "chat_templates_2026")
    for path in sorted((DATA / folder).glob("*.jinja"))
}
CHATML = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
ONE_CALL = (
    "{% for m in messages %}{% if m.tool_calls %}{% if m.tool_calls | length != 1 %}"
    "{{ raise_exception('one call') }}{% endif %}<call {{ m.tool_calls[0].function.name }}>"
    "{{ m.content or '' }}{% else %}<{{ m.role }}>{{ m.content }}{% endif %}{% endfor %}"
)
NINE = (
    "{% for m in messages %}{% for c in m.tool_calls or [] %}{% if c.id | length != 9 %}"
    "{{ raise_exception('nine') }}{% endif %}<{{ c.id }}{{ c.function.name }}>{% endfor %}"
    "{% if m.role == 'tool' %}{% if m.tool_call_id | length != 9 %}{{ raise_exception('nine') }}"
    "{% endif %}[{{ m.tool_call_id }}]{% endif %}{{ m.content or '' }}{% endfor %}"
)
KNOWN = (
    "{% for m in messages %}{% if m.role in ('user', 'assistant') or"
    " (m.role == 'system' and loop.first) %}<{{ m.role }}>{{ m.content }}{% endif %}{% endfor %}"
)
NO_SYSTEM = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}" + CHATML
)


def message(role: str, content: Any) -> dict[str, Any]:
    return {"role": role, "content": content}


def calling(*names: str, **more: Any) -> dict[str, Any]:
    calls = [
        {"id": f"call_{name}", "type": "function", "function": {"name": name, "arguments": {}}}
        for name in names
    ]
    return {"role": "assistant", "tool_calls": calls, **more}


def result(name: str, content: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": f"call_{name}", "content": content}


def render(source: str, *messages: dict[str, Any], **options: Any) -> str:
    options = {"allow_lost_messages": False, **options}
    return ChatTemplate(source, NAMES).render(messages, **options)


def test_a_developer_is_the_system_where_a_template_knows_none() -> None:
    assert render(KNOWN, message("developer", "Be short."), message("user", "Hi")) == (
        "<system>Be short.<user>Hi"
    )
    assert render(CHATML, message("developer", "Be short."), message("user", "Hi")) == (
        "<developer>Be short.<user>Hi"
    )


def test_a_system_text_goes_into_the_first_user_message_where_a_template_has_no_system() -> None:
    for role in ("system", "developer"):
        text = render(NO_SYSTEM, message(role, "Be short."), message("user", "Hi"))
        assert text in ("<user>Be short.\n\nHi", "<developer>Be short.<user>Hi")
    parts = [{"type": "text", "text": "Be short."}]
    assert render(NO_SYSTEM, message("system", parts), message("user", "Hi")) == (
        "<user>Be short.\n\nHi"
    )


def test_two_system_messages_are_one_where_a_template_takes_one() -> None:
    given = message("system", "A."), message("developer", "B."), message("user", "Hi")
    assert render(KNOWN, *given) == "<system>A.\n\nB.<user>Hi"


@pytest.mark.parametrize("role", ["function", "wizard", "system", "developer"])
def test_a_message_that_the_template_leaves_out_is_an_error(role: str) -> None:
    given = message("user", "Hi"), message(role, "Lost?"), message("user", "So?")
    with pytest.raises(InvalidRequestError) as error:
        render(KNOWN, *given)
    assert str(error.value) == (
        "[messages] the model's chat template leaves out messages[1], which has the role "
        f"{'system' if role == 'developer' else role!r} and comes after 'user'; put its text into "
        "another message, or allow that with allow_lost_messages=True."
    ).replace("role system", "role 'system'")
    assert render(KNOWN, *given, allow_lost_messages=True) == "<user>Hi<user>So?"


def test_a_message_that_says_nothing_may_be_left_out() -> None:
    assert render(KNOWN, message("user", "Hi"), message("wizard", " ")) == "<user>Hi"


def test_several_calls_are_written_one_after_the_other_where_a_template_takes_one() -> None:
    given = (
        message("user", "Hi"),
        calling("f", "g", content="Wait."),
        result("g", "2"),
        result("f", "1"),
        message("assistant", "So."),
    )
    assert render(ONE_CALL, *given) == ("<user>Hi<call f>Wait.<tool>1<call g><tool>2<assistant>So.")
    assert not ChatTemplate(ONE_CALL).shape.takes_parallel_calls
    assert ChatTemplate(NINE).shape.takes_parallel_calls


def test_ids_of_any_form_become_nine_letters_and_digits() -> None:
    given = message("user", ""), calling("f", "g"), result("f", "1"), result("g", "2")
    text = render(NINE, *given)
    first, second = text[1:10], text[13:22]
    assert text == f"<{first}f><{second}g>[{first}]1[{second}]2"
    assert first != second
    assert (first + second).isalnum()
    assert render(NINE, *given) == text, "the same each time"
    assert "<abcdefghif>" in render(
        NINE,
        message("user", ""),
        {**calling("f"), "tool_calls": [{"id": "abcdefghi", "function": {"name": "f"}}]},
    )


def test_calls_and_results_without_ids_belong_together() -> None:
    calls = [{"function": {"name": name, "arguments": {}}} for name in ("f", "g")]
    results = ({"role": "tool", "content": text} for text in ("1", "2"))
    text = render(NINE, message("user", ""), {"role": "assistant", "tool_calls": calls}, *results)
    first, second = text[1:10], text[13:22]
    assert text == f"<{first}f><{second}g>[{first}]1[{second}]2"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ({"a": [1, None]}, '{"a": [1, null]}'),
        ([1, "é"], '[1, "é"]'),
        ([], "[]"),
        (3, "3"),
        (True, "true"),
        (None, "null"),
        ([{"type": "text", "text": "as it is"}], "as it is"),
    ],
)
def test_a_result_may_be_any_json(value: Any, written: str) -> None:
    given = message("user", "Hi"), calling("f"), result("f", value)
    assert render(ONE_CALL, *given) == f"<user>Hi<call f><tool>{written}"


TOOL = {
    "type": "function",
    "function": {
        "name": "f",
        "description": "F.",
        "parameters": {"type": "object", "properties": {}, "required": []},
    },
}
SYSTEM = [message("system", "sys7sys"), message("user", "usr7usr")]
DEVELOPER = [message("developer", "sys7sys"), message("user", "usr7usr")]


@cache  # what it takes is found out once
def template(name: str) -> ChatTemplate:
    needed = {"functions": "[]", "datetime": "now"} if "firefunction" in name else {}
    return ChatTemplate(REAL[name].read_text(encoding="utf-8"), {**NAMES, **needed})


@pytest.mark.parametrize("name", one_in(3, REAL))
@pytest.mark.parametrize("messages", [SYSTEM, DEVELOPER], ids=["system", "developer"])
def test_instructions_reach_every_real_template(name: str, messages: list[dict[str, Any]]) -> None:
    tools = [TOOL] if name.endswith("tool_use") else None
    text = template(name).render(messages, tools, allow_lost_messages=False)
    assert "sys7sys" in text
    assert "usr7usr" in text


@pytest.mark.parametrize("name", one_in(3, REAL))
def test_no_real_template_loses_a_message(name: str) -> None:
    """Whatever role comes where: an error, or its text is in the prompt."""
    for role in ("system", "developer", "function", "tool", "wizard"):
        given = [
            message("user", "one1one"),
            message("assistant", "two2two"),
            message(role, "three3three"),
            message("user", "four4four"),
        ]
        try:
            text = template(name).render(given, allow_lost_messages=False)
        except InvalidRequestError:
            continue
        for wanted in ("one1one", "two2two", "three3three", "four4four"):
            assert wanted in text, (role, wanted)
