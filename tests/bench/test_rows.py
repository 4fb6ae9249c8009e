"""Which samples become a figure, which may be compared, and how they are kept."""

from pathlib import Path
from typing import Any

import pytest

from bench.made_rows import JOB, MACHINE, row
from comparison import store
from comparison.row import UnlikeRowsError, check_alike, check_same_run
from comparison.statistic import Figure


def test_a_figure_is_the_median_with_its_spread() -> None:
    assert Figure.of([3.0, 1.0, 10.0]) == Figure(3.0, 1.0, 10.0, 3)
    assert Figure.of([4.0, 2.0]) == Figure(3.0, 2.0, 4.0, 2)
    assert Figure.of([7.0]) == Figure(7.0, 7.0, 7.0, 1)


def test_no_sample_is_no_figure() -> None:
    with pytest.raises(ValueError) as error:
        Figure.of([])
    assert str(error.value) == "[bench] there is no sample to take a median of; measure one."


def test_two_engines_on_the_same_terms_are_compared() -> None:
    check_alike(row(), row("llama_cpp", "Q4_0", versions={"llama-cpp-python": "0.3.36"}))


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"machine": MACHINE | {"cores": 4}}, "cores, 2 and 4"),
        (
            {"machine": MACHINE | {"processor": "Other"}},
            "processor, 'Example 9000' and 'Other'",
        ),
        ({"bits": 5.0}, "bits_per_weight, 4.5 and 5.0"),
        ({"expert_bits_per_weight": 4.25}, "expert_bits_per_weight, None and 4.25"),
        ({"geometry": "llama-3.2-1b"}, "geometry, 'thin-16' and 'llama-3.2-1b'"),
        ({"device": "metal"}, "device, 'cpu' and 'metal'"),
        ({"case": "512"}, "case, 'short' and '512'"),
        ({"job": JOB | {"threads": 1}}, "threads, 2 and 1"),
        ({"job": JOB | {"prompt": 512}}, "prompt, 16 and 512"),
        ({"job": JOB | {"warm_up": False}}, "warm_up, True and False"),
        (
            {"environment": {"CONVERGIO_MLX_EXACT": "1"}},
            "environment, {} and {'CONVERGIO_MLX_EXACT': '1'}",
        ),
    ],
)
def test_unlike_rows_are_refused(changes: dict[str, Any], difference: str) -> None:
    with pytest.raises(UnlikeRowsError) as error:
        check_alike(row(), row("llama_cpp", "Q4_0", **changes))
    assert str(error.value) == (
        f"[bench] a row of ours and one of llama_cpp differ in {difference}; compare rows of one "
        "run of bench/compare.py."
    )


@pytest.mark.parametrize("field", ["commit", "versions"])
def test_an_engine_is_one_version_throughout(field: str) -> None:
    with pytest.raises(UnlikeRowsError, match=f"one of ours differ in {field}"):
        check_alike(row(), row(**{field: {"mlx": "0.32.5"} if field == "versions" else "other"}))


def test_a_run_goes_on_only_where_it_began() -> None:
    rows = [row()]
    check_same_run(rows, MACHINE, {"mlx": "0.32.4"}, "0123456789ab")
    check_same_run([], {}, {}, "")
    with pytest.raises(UnlikeRowsError) as error:
        check_same_run(rows, MACHINE, {"mlx": "0.32.4"}, "ba9876543210")
    assert str(error.value) == (
        "[bench] the file has rows of the commit '0123456789ab', and this is 'ba9876543210'; give "
        "another file by --rows, or --show what it has."
    )


def test_rows_are_kept_whole(tmp_path: Path) -> None:
    path = tmp_path / "results" / "run.json"
    assert store.read(path) == []
    rows = [row(), row("llama_cpp", "Q4_0", number=1)]
    store.write(path, rows)
    assert store.read(path) == rows
    assert [found.name for found in path.parent.iterdir()] == ["run.json"]
