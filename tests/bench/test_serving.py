"""Many clients of one server: `bench/serving.py`, for a few seconds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"


@pytest.mark.slow
def test_each_of_many_clients_gets_its_own_answers(tmp_path: Path) -> None:
    out = tmp_path / "found.json"
    command = [sys.executable, str(BENCH / "serving.py"), "--clients", "40", "--seconds", "10"]
    done = subprocess.run(
        [*command, "--max-requests", "12", "--json", str(out)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    found = json.loads(out.read_text())
    assert found["wrong"] == []
    assert (found["under_way_after"], found["exit_code"]) == (0, 0)
    assert found["told_to_come_again"] > 0  # there was room for 12 of 40
    assert found["answers_of_a_client"][0] >= 1
    assert found["after"]["open_files"] <= found["at_rest"]["open_files"]
    assert max(one["open_files"] for one in found["held"]) < 40 + 4 * 12 + 40
    assert found["after"]["memory_mb"] < found["at_rest"]["memory_mb"] + 64
