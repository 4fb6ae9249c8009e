"""One sample of ours, from the checkpoint to the row, in a process of its own."""

from pathlib import Path

import pytest

from comparison.checkpoint import Checkpoints
from comparison.contender import CONTENDERS
from comparison.launch import launch
from comparison.measure import measure
from comparison.plan import Case, Sample
from comparison.row import Row
from comparison.table import render


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> Row:
    case = Case("tiny", 16, 8, second_turn=4, constrained=8)
    sample = Sample("thin-16", case, CONTENDERS[0], 0)
    return measure(sample, Checkpoints(tmp_path_factory.mktemp("data")), 1)


def test_a_sample_of_ours(sampled: Row) -> None:
    first, second = sampled.found["first_turn"], sampled.found["second_turn"]
    assert (first["prompt_tokens"], first["answer_tokens"]) == (16, 8)
    assert second["prompt_tokens"] == 16 + 8 + 4
    parts = (
        sampled.found["import_seconds"],
        sampled.found["load_seconds"],
        first["first_token_seconds"],
    )
    assert all(part > 0 for part in parts)
    assert sampled.found["process_to_first_token_seconds"] > sum(parts)
    assert first["decode_seconds"] > 0
    assert 10e6 < sampled.found["resident_bytes"] <= sampled.found["peak_bytes"] < 500e6


def test_it_says_what_it_is(sampled: Row) -> None:
    assert sampled.job["threads"] == 1
    assert sampled.machine["cores"] >= 1
    assert sampled.versions["mlx"].count(".") == 2
    assert sampled.device in {"cpu", "metal", "cuda"}
    assert sampled.found["checkpoint_bytes"] > 1e6
    assert sampled.found["detail"]["step_primitives"] > 16
    assert sampled.found["detail"]["read_bytes_per_second"] > 1e8


def test_an_answer_that_must_be_json(sampled: Row) -> None:
    found = sampled.found["constrained"]
    assert found["free"] > 0
    assert found["bound"] > 0


def test_its_table(sampled: Row) -> None:
    assert "| decode, tokens/s |" in render([sampled])


def test_a_process_that_fails_says_why(tmp_path: Path) -> None:
    job = {"model": str(tmp_path), "vocab_size": 9, "prompt": 1, "answer": 1, "threads": 1}
    with pytest.raises(RuntimeError) as error:
        launch("ours", job)
    said = str(error.value)
    assert said.startswith("[bench] -m comparison.subjects.ours ended with code 1; it said:\n")
    assert f"the folder '{tmp_path}' has no config.json" in said
