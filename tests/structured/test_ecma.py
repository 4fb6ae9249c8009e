"""Regular expressions are those of ECMA-262, in a `pattern` and as a response format."""

import re
from typing import Any

import pytest
from test_schema import allows

from convergio_mlx import Engine
from convergio_mlx.structured.ecma import RegexError, translated
from convergio_mlx.structured.grammars import grammars_of
from convergio_mlx.structured.response_format import answer_rule

CASES: list[tuple[str, str, str]] = [
    (r"\d", "5", "٥a"),
    (r"\D", "٥a", "5"),
    (r"\w", "a_9", "éß-"),
    (r"\W", "é-", "a"),
    (r"\s", " \t\n\u00a0\ufeff\u2028", "\x85a"),
    (r"\S", "\x85a", " \ufeff"),
    (".", "aé🌍\x85", "\n\r\u2028\u2029"),
    (r"[\d-]", "5-", "٥a"),
    (r"[^\d]", "٥a", "5"),
    (r"[\s\S]", "a\n🌍", ""),
    ("[^]", "a\n", ""),
    (r"\u0061|\x62|\u{63}|\ud83c\udf0d", "abc🌍", "du"),
    (r"\/|\-|\.|\$", "/-.$", "a\\"),
    ("[[&~]", "[&~", "]a"),
    ("[a&&b]", "ab&", "c"),
    (r"[\]\\^]", "]\\^", "a"),
    (r"[\b]", "\b", "b"),
    (r"\cJ|\0", "\n\0", "J0"),
    ("(?<name>a)|(?:b)|(c)", "abc", "n"),
    (r"\p{L}", "aé日", "5 "),
    ("}|]|{", "}]{", "a"),
    ("^a$", "a", "b"),
]


@pytest.mark.parametrize(("pattern", "fits", "others"), CASES)
def test_one_character(engine: Engine, pattern: str, fits: str, others: str) -> None:
    """Each of `fits` matches, none of `others`, in both places."""
    end = engine.tokenizer.eos_id
    assert end is not None
    rule = answer_rule({"type": "regex", "regex": pattern})
    for char in fits + others:
        whole = grammars_of(engine.tokenizer, ()).constraint(
            f"start: {rule}", vocab_size=engine.vocab_size, stop_tokens=[end]
        )
        assert whole.wait(60)
        ids = engine.tokenizer.encode(char, add_special_tokens=False)
        assert whole.allows(ids) == (char in fits), (pattern, char)
        if char >= " " and char not in '"\\\x7f':  # which JSON escapes
            schema = {"type": "string", "pattern": f"^(?:{pattern})$"}
            assert allows(engine, schema, f'"{char}"') == (char in fits), (pattern, char)


def test_quantifiers() -> None:
    assert translated("a*b+?c{2}d{3,}e{4,5}?f{,6}") == r"a*b+c{2}d{3,}e{4,5}f\{,6\}"


@pytest.mark.parametrize(
    ("pattern", "what"),
    [
        ("(?=a)", "has a look-around, which cannot be enforced; say it without"),
        ("(?<!a)b", "has a look-around, which cannot be enforced; say it without"),
        (r"\bword", "has a word boundary, which cannot be enforced; say it without"),
        (r"(a)\1", "has a back reference, which cannot be enforced; say it without"),
        (r"(?<n>a)\k<n>", "has a back reference, which cannot be enforced; say it without"),
        ("(?i)a", "has a group '(?i'; give (…), (?:…) or (?<name>…)"),
        ("(a", "has an unclosed group; close it with ')'"),
        ("a)", "closes a group that is not open; leave ')' out, or escape it"),
        ("[a", "ends amid an escape or a class; complete it"),
        ("a\\", "ends amid an escape or a class; complete it"),
        ("[b-a]", "has the range b-a; give it in order"),
        ("a**", "repeats nothing at 2; put a character before it"),
        ("*", "repeats nothing at 0; put a character before it"),
        (r"\A", r"has the escape '\A', which ECMA-262 does not know; leave it out"),
        (r"\u00", "has '00' as a code; give hexadecimal digits"),
        (r"\u{110000}", "has the code 110000, which is no character; give one"),
    ],
)
def test_what_is_no_regular_expression_of_ecma(pattern: str, what: str) -> None:
    with pytest.raises(RegexError) as caught:
        translated(pattern)
    assert str(caught.value) == what


def test_any_text_is_translated_or_refused() -> None:
    import random

    rng = random.Random(5)
    for _ in range(20_000):
        text = "".join(rng.choice(r"ab\[]{}()?*+|^$.-<>=!:,09ux") for _ in range(rng.randrange(9)))
        outcome: Any
        try:
            outcome = translated(text)
        except RegexError as error:
            outcome = error
        assert isinstance(outcome, str | RegexError)
        if isinstance(outcome, str) and not re.search(r"\\[pPcx0]|\[\^?\]|\[\^", text):
            re.compile(outcome.replace(r"\x{10FFFF}", "\U0010ffff"))
