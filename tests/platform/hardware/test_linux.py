"""Linux, by its files: processors, memory, and the limits of control groups."""

from pathlib import Path

import pytest
import recorded

from convergio_mlx.platform.hardware import linux
from convergio_mlx.platform.hardware.facts import Memory

MIB = 1 << 20
TOTAL, AVAILABLE = 32651464 * 1024, 21503420 * 1024
NO_LIMIT_V1 = "9223372036854771712\n"


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    write(tmp_path / "proc", meminfo=recorded.MEMINFO)
    write(tmp_path / "proc" / "self", cgroup="0::/\n")
    return tmp_path / "proc"


def test_processors() -> None:
    assert linux.parse_cpuinfo(recorded.CPUINFO_X86) == "AMD Ryzen 9 9950X 16-Core Processor"
    assert linux.parse_cpuinfo(recorded.CPUINFO_PI) == "Raspberry Pi 5 Model B Rev 1.0"
    assert linux.parse_cpuinfo(recorded.CPUINFO_ARM_SERVER) is None


def test_memory_without_a_limit(proc: Path, tmp_path: Path) -> None:
    assert linux.read_memory(proc, tmp_path / "none") == Memory(TOTAL, AVAILABLE)


def test_an_old_kernel_names_no_available_memory(proc: Path, tmp_path: Path) -> None:
    write(proc, meminfo="MemTotal: 100 kB\nMemFree: 10 kB\n")
    assert linux.read_memory(proc, tmp_path) == Memory(102400, 10240)


def test_cgroup_v2(proc: Path, tmp_path: Path) -> None:
    write(proc / "self", cgroup="0::/user.slice/app.scope\n")
    write(
        tmp_path / "groups" / "user.slice" / "app.scope",
        memory__max=f"{4096 * MIB}\n",
        memory__current=f"{3000 * MIB}\n",
        memory__stat=f"anon 5\ninactive_file {2000 * MIB}\nactive_file {6 * MIB}\n",
    )
    found = linux.read_memory(proc, tmp_path / "groups")
    assert found == Memory(4096 * MIB, 3102 * MIB, "cgroup")


def test_the_tightest_group_above_counts(proc: Path, tmp_path: Path) -> None:
    write(proc / "self", cgroup="0::/a/b\n")
    write(tmp_path / "g" / "a", memory__max=f"{2048 * MIB}", memory__current=f"{48 * MIB}")
    write(tmp_path / "g" / "a" / "b", memory__max="max\n", memory__current="1")
    found = linux.read_memory(proc, tmp_path / "g")
    assert found == Memory(2048 * MIB, 2000 * MIB, "cgroup")


def test_a_container_sees_its_group_at_the_root(proc: Path, tmp_path: Path) -> None:
    write(proc / "self", cgroup="0::/docker/4f2a\n")
    write(tmp_path / "g", memory__max=f"{512 * MIB}", memory__current=f"{600 * MIB}")
    found = linux.read_memory(proc, tmp_path / "g")
    assert found == Memory(512 * MIB, 0, "cgroup")


def test_cgroup_v1(proc: Path, tmp_path: Path) -> None:
    write(proc / "self", cgroup="12:cpu,cpuacct:/x\n7:memory:/docker/9\n0::/elsewhere\n")
    write(
        tmp_path / "g" / "memory" / "docker" / "9",
        memory__limit_in_bytes=f"{1024 * MIB}\n",
        memory__usage_in_bytes=f"{100 * MIB}\n",
        memory__stat=f"cache 1\ntotal_inactive_file {40 * MIB}\n",
    )
    write(tmp_path / "g" / "memory", memory__limit_in_bytes=NO_LIMIT_V1)
    found = linux.read_memory(proc, tmp_path / "g")
    assert found == Memory(1024 * MIB, 964 * MIB, "cgroup")


def test_a_group_above_the_machine_is_no_limit(proc: Path, tmp_path: Path) -> None:
    write(tmp_path / "g", memory__max=f"{TOTAL * 2}", memory__current="0")
    assert linux.read_memory(proc, tmp_path / "g") == Memory(TOTAL, AVAILABLE)


@pytest.mark.parametrize("groups", ["", "junk", "::", "0::/../../etc\n", "1:memory:\n"])
def test_odd_lists_of_groups(proc: Path, tmp_path: Path, groups: str) -> None:
    write(proc / "self", cgroup=groups)
    write(tmp_path / "etc", memory__max="1")
    assert linux.read_memory(proc, tmp_path / "g" / "h") == Memory(TOTAL, AVAILABLE)
