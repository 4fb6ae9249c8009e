"""The compaction threshold: the table of docs/context.md, and the rules it follows from."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergio_mlx.errors import InvalidRequestError
from convergio_mlx.providers.compaction_threshold import compaction_threshold

PAGE = Path(__file__).parents[2] / "docs" / "context.md"
ROWS = [
    tuple(int(cell.replace(" ", "")) for cell in row)
    for row in re.findall(
        r"^\| ([\d ]+) \| ([\d ]+) \| ([\d ]+) \|$", PAGE.read_text(), re.MULTILINE
    )
]


@pytest.mark.parametrize(("window", "local", "cloud"), ROWS)
def test_the_table_of_the_docs(window: int, local: int, cloud: int) -> None:
    assert compaction_threshold(window, local=True) == local
    assert compaction_threshold(window, local=False) == cloud


def test_the_table_has_the_numbers_of_the_record() -> None:
    """A cloud model of 200 000: 80 000. Local ones from 32 000 to 131 000: 60 %. 2 000 to 200 000
    overall."""
    table = {window: (local, cloud) for window, local, cloud in ROWS}
    assert table[200_000][1] == 80_000
    assert table[32_768][0] == 32_768 * 6 // 10
    assert table[131_072][0] == 131_072 * 6 // 10
    assert min(local for window, local, _ in ROWS if window >= 2_000) == 2_000
    assert max(local for _, local, _ in ROWS) == 200_000


@given(st.integers(1, 10**8), st.booleans())
def test_it_stays_within_its_bounds(window: int, local: bool) -> None:
    threshold = compaction_threshold(window, local=local)
    assert min(2_000, window) <= threshold <= min(200_000, window)
    if window >= 3_334:
        assert threshold <= window * 0.6
        assert local or threshold <= 80_000
    assert threshold <= compaction_threshold(window + 1, local=local)


@pytest.mark.parametrize("window", [0, -1, True, 4096.0, "4096", None])
def test_what_is_no_window_is_refused(window: object) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        compaction_threshold(window, local=True)  # type: ignore[arg-type]
    assert str(caught.value) == (
        f"[context] the context window is {window!r}, which must be a whole number of tokens "
        "above 0."
    )
