"""Our safetensors reader takes exactly the files that the format's own library takes."""

from __future__ import annotations

import json
import math
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors
from building import ADDRESS, built, run

pytestmark = [pytest.mark.native, pytest.mark.slow]

SIZES = {"BOOL": 1, "U8": 1, "F8_E4M3": 1, "BF16": 2, "I16": 2, "F32": 4, "U32": 4, "F64": 8}
# Not 2**63 and above: the library takes such a dimension beside one of 0, and we don't.
ODD_VALUES: list[Any] = [-1, 1.0, "1", None, [], {}, True, 2**32, 2**63 - 1, 2**64]
Header = dict[str, Any]


def good_file(rnd: random.Random) -> tuple[Header, bytearray]:
    header: Header = {}
    end = 0
    for i in range(rnd.randrange(6)):
        dtype = rnd.choice(list(SIZES))
        shape = [rnd.randrange(5) for _ in range(rnd.randrange(4))]
        begin, end = end, end + math.prod(shape) * SIZES[dtype]
        header[f"t{i}"] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}
    header = dict(rnd.sample(sorted(header.items()), len(header)))
    if rnd.random() < 0.5:
        header["__metadata__"] = {"format": "mlx"}
    return header, bytearray(end)


def change_offset(rnd: random.Random, header: Header, data: bytearray) -> None:
    offsets = a_tensor(rnd, header)["data_offsets"]
    offsets[rnd.randrange(2)] += rnd.choice([-4, -1, 1, 4])


def change_shape(rnd: random.Random, header: Header, data: bytearray) -> None:
    shape = a_tensor(rnd, header)["shape"]
    shape.insert(rnd.randrange(len(shape) + 1), rnd.choice([0, 1, 2, 2**32, 2**62]))


def change_value(rnd: random.Random, header: Header, data: bytearray) -> None:
    tensor = a_tensor(rnd, header)
    tensor[rnd.choice(list(tensor))] = rnd.choice(ODD_VALUES)


def change_number(rnd: random.Random, header: Header, data: bytearray) -> None:
    tensor = a_tensor(rnd, header)
    numbers = rnd.choice([tensor["shape"], tensor["data_offsets"]]) or [0]
    numbers[rnd.randrange(len(numbers))] = rnd.choice(ODD_VALUES)


def drop_member(rnd: random.Random, header: Header, data: bytearray) -> None:
    tensor = a_tensor(rnd, header)
    del tensor[rnd.choice(list(tensor))]


def add_member(rnd: random.Random, header: Header, data: bytearray) -> None:
    a_tensor(rnd, header)["comment"] = rnd.choice(ODD_VALUES)


def change_dtype(rnd: random.Random, header: Header, data: bytearray) -> None:
    a_tensor(rnd, header)["dtype"] = rnd.choice([*SIZES, "f32", "", "F7"])


def change_metadata(rnd: random.Random, header: Header, data: bytearray) -> None:
    header["__metadata__"] = rnd.choice([{"n": rnd.choice(ODD_VALUES)}, *ODD_VALUES])


def share_range(rnd: random.Random, header: Header, data: bytearray) -> None:
    a_tensor(rnd, header)["data_offsets"] = list(a_tensor(rnd, header)["data_offsets"])


def grow(rnd: random.Random, header: Header, data: bytearray) -> None:
    data.append(0)


def cut(rnd: random.Random, header: Header, data: bytearray) -> None:
    del data[-1:]


def leave(rnd: random.Random, header: Header, data: bytearray) -> None:
    pass


CHANGES: list[Callable[[random.Random, Header, bytearray], None]] = [
    change_offset,
    change_shape,
    change_value,
    change_number,
    drop_member,
    add_member,
    change_dtype,
    change_metadata,
    share_range,
    grow,
    cut,
    leave,
]


def a_tensor(rnd: random.Random, header: Header) -> dict[str, Any]:
    names = [name for name in header if name != "__metadata__"]
    if not names:
        header["t"] = {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}
        names = ["t"]
    tensor: dict[str, Any] = header[rnd.choice(names)]
    return tensor


def encoded(rnd: random.Random, header: Header, data: bytes) -> bytes:
    text = json.dumps(header).encode() + b" " * rnd.randrange(9)
    return struct.pack("<Q", len(text)) + text + data


def reference(file: bytes) -> str | None:
    """Number of tensors as verdict prints it, or None where the library refuses."""
    try:
        return f"ok {len(safetensors.deserialize(file))}"
    except safetensors.SafetensorError:
        return None


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_the_format_s_library_agrees(
    change: Callable[[random.Random, Header, bytearray], None], tmp_path: Path
) -> None:
    rnd = random.Random(change.__name__)
    files = []
    for i in range(200):
        header, data = good_file(rnd)
        change(rnd, header, data)
        files.append(tmp_path / f"{i}.safetensors")
        files[-1].write_bytes(encoded(rnd, header, data))
    done = run(built(ADDRESS) / "verdict", *files)
    assert done.returncode == 0, done.stdout
    ours = [line if line.startswith("ok ") else None for line in done.stdout.splitlines()]
    theirs = [reference(path.read_bytes()) for path in files]
    assert len(ours) == len(theirs)
    for path, our, their in zip(files, ours, theirs, strict=True):
        assert our == their, path.read_bytes()
