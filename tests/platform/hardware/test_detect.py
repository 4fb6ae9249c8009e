"""NVIDIA's cards, and the machine that these tests run on."""

import os
import sys
from pathlib import Path

import pytest
import recorded

from convergio_mlx.platform.hardware import commands, nvidia
from convergio_mlx.platform.hardware.detect import detect
from convergio_mlx.platform.hardware.facts import Gpu
from convergio_mlx.platform.native import native

MIB = 1 << 20


def test_two_cards() -> None:
    assert nvidia.parse_nvidia_smi(recorded.NVIDIA_TWO) == (
        Gpu("NVIDIA H100 80GB HBM3", "cuda", None, 81559 * MIB, 80994 * MIB, "570.86.15", "9.0"),
        Gpu("NVIDIA GeForce RTX 4090", "cuda", None, 24564 * MIB, 20112 * MIB, "570.86.15", "8.9"),
    )


def test_a_card_that_shares_the_machines_memory() -> None:
    (found,) = nvidia.parse_nvidia_smi(recorded.NVIDIA_SHARED)
    assert (found.name, found.memory, found.free) == ("NVIDIA GB10", None, None)


@pytest.mark.parametrize("text", ["", recorded.NVIDIA_NONE, "No devices were found\n"])
def test_no_card(text: str) -> None:
    assert nvidia.parse_nvidia_smi(text) == ()


def test_this_machine() -> None:
    found = detect()
    assert found.cores == native().usable_cores() <= (os.cpu_count() or 1)
    assert list(found.instruction_sets) == native().isas()
    assert 0 < found.memory.available <= found.memory.total
    assert found.is_apple_silicon == (sys.platform == "darwin")


def test_a_program_that_is_missing_or_fails(tmp_path: Path) -> None:
    assert commands.printed("no-such-program-here") == ""
    assert commands.printed(sys.executable, "-c", "print(1); exit(3)").strip() == "1"
    assert commands.printed(str(tmp_path)) == ""


def test_a_program_that_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "_PATIENCE", 0.05)
    assert commands.printed(sys.executable, "-c", "import time; time.sleep(60)") == ""
