"""Threads that have stacks of their own for signals, on processors whose state is large: those with
AMX, whose tiles Linux gives a process only where all such stacks have room for them."""

from pathlib import Path

import pytest
from programs import output, run
from small_models import make_model

ANSWER = """
engine = cm.Engine.load(sys.argv[1])
def answer():
    return engine.generate(list(range(4, 52)), cm.SamplingParams(max_tokens=6, seed=1)).text()
"""

SMALL_STACK = """
import ctypes
class Stack(ctypes.Structure):
    _fields_ = [("at", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t)]
size = 8192  # what SIGSTKSZ was for thirty years
memory = ctypes.create_string_buffer(size)
libc = ctypes.CDLL(None, use_errno=True)
def install():
    return libc.sigaltstack(ctypes.byref(Stack(ctypes.addressof(memory), 0, size)), None)
"""


@pytest.fixture(scope="module")
def quantized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    quantization = {"quantization": {"group_size": 32, "bits": 4}}
    return make_model(tmp_path_factory.mktemp("quantized") / "model", **quantization)


def test_a_small_stack_for_signals_changes_no_answer(quantized: Path) -> None:
    plain = output(f"{ANSWER}\nprint(answer())", quantized)
    small = run(
        f"{ANSWER}\nprint(answer())",
        quantized,
        head=f"import sys\n{SMALL_STACK}\ninstall()\nimport convergio_mlx as cm",
    )
    assert (small.returncode, small.stdout) == (0, plain), small


def test_a_crash_is_told_after_an_answer(quantized: Path) -> None:
    done = run(f"{ANSWER}\nanswer()\nimport faulthandler\nfaulthandler._sigsegv()", quantized)
    assert done.returncode < 0
    assert "Segmentation fault" in done.stderr
