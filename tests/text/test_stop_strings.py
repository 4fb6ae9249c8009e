"""StopStrings against an oracle that looks at the whole text at every character."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergio_mlx.errors import InvalidRequestError
from convergio_mlx.text.stop_strings import StopStrings

SMALL = st.text(alphabet="ab\n<é😀", max_size=40)
STOPS = st.lists(st.text(alphabet="ab\n<é😀", min_size=1, max_size=6), max_size=5)


def oracle(text: str, stops: list[str]) -> tuple[str, str | None]:
    for end in range(len(text) + 1):
        done = [stop for stop in stops if text[:end].endswith(stop)]
        if done:
            longest = max(done, key=len)
            return text[: end - len(longest)], longest
    return text, None


def run(pieces: list[str], stops: list[str]) -> tuple[str, str | None]:
    machine = StopStrings(stops)
    shown = ""
    for piece in pieces:
        emitted, stopped = machine.feed(piece)
        shown += emitted
        assert stopped == (machine.matched is not None)
        if stopped:
            break
    return shown + machine.finish(), machine.matched


@given(SMALL, STOPS, st.lists(st.integers(0, 40)))
def test_equals_the_oracle_at_any_cut(text: str, stops: list[str], cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [text[a:b] for a, b in pairwise(edges)]
    assert run(pieces, stops) == oracle(text, stops)


@given(SMALL, STOPS)
def test_holds_back_exactly_the_longest_beginning_of_a_stop(text: str, stops: list[str]) -> None:
    machine = StopStrings(stops)
    shown = ""
    for end, character in enumerate(text, 1):
        emitted, stopped = machine.feed(character)
        shown += emitted
        if stopped:
            return
        begins = {stop[:size] for stop in stops for size in range(1, len(stop))}
        held = max((len(b) for b in begins if text[:end].endswith(b)), default=0)
        assert len(shown) == end - held
        assert text.startswith(shown)


def test_after_a_stop_everything_is_ignored() -> None:
    machine = StopStrings(["END", "STOP"])
    assert machine.feed("one EN") == ("one ", False)
    assert machine.feed("D two") == ("", True)
    assert machine.matched == "END"
    assert machine.feed("three") == ("", True)
    assert machine.finish() == ""


def test_finish_releases_a_beginning_that_never_completed() -> None:
    machine = StopStrings("</answer>")
    assert machine.feed("42</ans") == ("42", False)
    assert machine.finish() == "</ans"


def test_a_shorter_stop_inside_a_longer_one_wins_when_it_completes_first() -> None:
    assert run(["xabcy"], ["abcd", "b"]) == ("xa", "b")
    assert run(["xabc"], ["abc", "bc"]) == ("x", "abc")


def test_no_stops_hold_nothing_back() -> None:
    machine = StopStrings([])
    assert machine.feed("any text") == ("any text", False)
    assert machine.finish() == ""


@pytest.mark.parametrize("bad", ["", None, 7])
def test_a_stop_must_be_a_text(bad: object) -> None:
    with pytest.raises(InvalidRequestError) as error:
        StopStrings(["ok", bad])  # type: ignore[list-item]
    assert str(error.value) == (
        f"[stop] {bad!r} is not a stop string; give a text of at least one character."
    )


@pytest.mark.parametrize("stops", ["x" * (1 << 20) + "x", ["x" * (1 << 19)] * 3])
def test_stop_strings_beyond_measure_are_refused(stops: str | list[str]) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        StopStrings(stops)
    size = sum(map(len, stops))
    assert str(refused.value) == (
        f"[stop] the stop strings have {size} characters; give at most 1048576."
    )


@pytest.mark.parametrize("piece", [1, 50_000])
def test_a_long_stop_string_and_a_long_text_take_linear_time(piece: int) -> None:
    size = 100_000  # beginning anew at every character would take ten thousand million steps
    text = "a" * (2 * size) + "b"
    pieces = [text[at : at + piece] for at in range(0, len(text), piece)]
    assert run(pieces, ["a" * size + "b"]) == ("a" * size, "a" * size + "b")
