"""The texts of csrc/kernels/gpu through compilers of GPUs' languages, as MLX hands them on: the
names of the language, what the texts share, a signature of MLX's, the beginning and the text."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from building import HERE, ROOT, run

pytestmark = pytest.mark.native

DRAWS = (("values", "bests", "sums", "settings", "uniforms", "sizes"), ("token", "check"))
KERNELS = {
    "group_bests": (("logits", "settings", "sizes"), ("values", "bests", "sums")),
    "draw_from_all": DRAWS,
    "draw_from_likeliest": DRAWS,
}
"""Their inputs and outputs (csrc/engine/sampling_kernels.cpp)."""
ATTRIBUTES = {
    "simdgroup_index_in_threadgroup": "uint",
    "thread_index_in_simdgroup": "uint",
    "thread_index_in_threadgroup": "uint",
    "threadgroup_position_in_grid": "uint3",
}
"""Those of Metal's that MLX adds where a source names them."""


def text(name: str) -> str:
    return (ROOT / "csrc" / "kernels" / "gpu" / f"{name}.inl.h").read_text("utf-8")


def body(name: str) -> str:
    return text(name) + (text("draw_from_nucleus") if name == "draw_from_likeliest" else "")


def dtype_of(name: str, logits: str) -> str:
    if name == "logits":
        return logits
    return "uint32_t" if name in {"sizes", "token"} else "float"


def as_metal(logits: str, small: str) -> str:
    """`small`: where MLX passes arrays of fewer than eight numbers, as of short vocabularies."""
    made = [f'#include "{HERE / "gpu" / "metal_stub.h"}"', text("names_metal"), text("shared")]
    for name, (inputs, outputs) in KERNELS.items():
        source = text("begin_metal") + body(name)
        few = {"settings", "uniforms", "sizes"}
        arguments = [
            f"const {small if one not in few else 'constant'} {dtype_of(one, logits)}* {one}"
            for one in inputs
        ]
        arguments += [f"device {dtype_of(one, logits)}* {one}" for one in outputs]
        arguments += [f"{kind} {one}" for one, kind in ATTRIBUTES.items() if one in source]
        made.append(f"void custom_kernel_{name}({', '.join(arguments)}) {{\n{source}\n}}")
    return "\n".join(made)


def as_cuda(logits: str) -> str:
    made = ["#include <cstdint>", "#include <cuda_bf16.h>", "#include <cuda_fp16.h>"]
    made += [text("names_cuda"), text("shared")]
    for name, (inputs, outputs) in KERNELS.items():
        arguments = [f"const {dtype_of(one, logits)}* {one}" for one in inputs]
        arguments += [f"{dtype_of(one, logits)}* {one}" for one in outputs]
        source = text("begin_cuda") + body(name)
        made.append(
            f"__global__ void custom_kernel_{name}({', '.join(arguments)}) {{\n{source}\n}}"
        )
    return "\n".join(made)


@pytest.mark.parametrize("logits", ["float", "half", "bfloat16_t"])
def test_texts_keep_to_the_address_spaces_of_metal(logits: str, tmp_path: Path) -> None:
    clang = shutil.which("clang++")
    if clang is None:
        pytest.skip("needs clang++")
    source = tmp_path / "kernels.cpp"
    spaces = ["device", "constant"] if logits == "float" else ["device"]
    for space in spaces:
        source.write_text(as_metal(logits, space), "utf-8")
        done = run(clang, "-std=c++14", "-fsyntax-only", "-Wall", "-Werror=shadow", source)
        assert done.returncode == 0, done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("logits", ["float", "__half", "__nv_bfloat16"])
def test_texts_compile_as_cuda(logits: str, tmp_path: Path) -> None:
    nvcc = shutil.which("nvcc")
    if nvcc is None:
        pytest.skip("needs nvcc")
    source = tmp_path / "kernels.cu"
    source.write_text(as_cuda(logits), "utf-8")
    done = run(nvcc, "-std=c++17", "-cubin", "-Xptxas", "-v", "-o", tmp_path / "out", source)
    assert done.returncode == 0, done.stdout
    assert "error" not in done.stdout
    used = [
        int(line.split("Used ")[1].split()[0])
        for line in done.stdout.splitlines()
        if "Used" in line
    ]
    assert len(used) == len(KERNELS)
    assert max(used) * 512 <= 65536  # registers that a group of threads may have
