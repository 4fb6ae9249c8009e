"""Macs, by what their own programs print."""

import pytest
import recorded

from convergio_mlx.platform.hardware import apple

GIB = 1 << 30


@pytest.mark.parametrize(
    ("printed", "is_called", "cores", "macos", "memory"),
    [
        (recorded.M1, ("M1", None), (4, 4), "14.7.1", 8),
        (recorded.M2_ULTRA, ("M2", "Ultra"), (16, 8), "15.1", 192),
        (recorded.M3_PRO_RAISED, ("M3", "Pro"), (6, 6), "15.3.2", 36),
        (recorded.M4_MAX, ("M4", "Max"), (12, 4), "26.1", 64),
        (recorded.M5, ("M5", None), (4, 6), "26.1", 24),
        (recorded.M2_VIRTUAL, ("M2", None), (None, None), "14.4", 4),
        (recorded.INTEL_MAC, (None, None), (None, None), "13.6", 16),
    ],
)
def test_chips(printed, is_called, cores, macos, memory) -> None:
    chip = apple.parse_sysctl(printed)
    assert (chip.family, chip.tier) == is_called
    assert (chip.performance_cores, chip.efficiency_cores) == cores
    assert (chip.macos, chip.memory) == (macos, memory * GIB)


def test_the_name_is_the_systems_own() -> None:
    assert apple.parse_sysctl(recorded.M4_MAX).name == "Apple M4 Max"
    assert apple.parse_sysctl("").name == "unknown processor"


@pytest.mark.parametrize(
    ("printed", "working_set"),
    [
        (recorded.M1, 8 * GIB * 2 // 3),
        (recorded.M4_MAX, 48 * GIB),
        (recorded.M3_PRO_RAISED, 30000 << 20),
    ],
)
def test_the_working_set(printed: str, working_set: int) -> None:
    assert apple.parse_sysctl(printed).working_set == working_set


def test_the_working_set_never_exceeds_the_memory() -> None:
    assert apple.working_set(8 * GIB, 999_999) == 8 * GIB


def test_gpus() -> None:
    assert apple.parse_profiler(recorded.PROFILER_M4_MAX) == ("Apple M4 Max", 40)
    assert apple.parse_profiler(recorded.PROFILER_INTEL) is None


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"SPDisplaysDataType": [3]}', "{"])
def test_what_is_not_a_profile(text: str) -> None:
    assert apple.parse_profiler(text) is None


def test_memory_to_be_had() -> None:
    assert apple.parse_vm_stat(recorded.VM_STAT) == 16384 * (21574 + 438124 + 3070 + 8211)
    assert apple.parse_vm_stat("") is None
    assert apple.parse_vm_stat("(page size of 4096 bytes)\nPages active: 3.\n") is None


@pytest.mark.parametrize(
    ("chip", "system", "lacks"),
    [
        ("Apple M5", "macOS 26.1", True),
        ("Apple M5 Max", "macOS 15.7.2", True),
        ("Apple M6 Pro", "macOS 26", True),
        ("Apple M5", "macOS 26.2", False),
        ("Apple M5", "macOS 27.0.1", False),
        ("Apple M4 Pro", "macOS 26.1", False),
        ("Apple M5", "macOS", False),  # nobody knows
        ("AMD EPYC 9554", "Debian 12", False),
    ],
)
def test_units_for_matrices_that_an_older_macos_leaves_idle(
    chip: str, system: str, lacks: bool
) -> None:
    assert apple.lacks_matrix_units(chip, system) == lacks
