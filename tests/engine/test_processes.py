"""How programs end, fork and are interrupted while the engine is at work."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from programs import HEAD, output, run

FORKED = (
    "[engine] this process was forked off after the engine had started, and the engine's thread "
    "stayed behind; start it with multiprocessing's 'spawn' method, or fork before the first "
    "model is loaded."
)


def test_a_program_may_end_while_requests_run(slow_folder: Path) -> None:
    code = """
    engine = cm.Engine.load(sys.argv[1])
    started = engine.generate([4], LONG)
    next(started)
    kept = [engine.generate(PROMPT, LONG) for _ in range(12)]
    next(started)
    print("end")
    """
    assert output(code, slow_folder) == "end\n"


@pytest.mark.slow
@pytest.mark.parametrize("calls", ["waits", "loops", "logits", "loads"])
def test_a_program_may_end_while_daemon_threads_use_the_engine(
    slow_folder: Path, calls: str
) -> None:
    code = """
    import threading, time
    engine = cm.Engine.load(sys.argv[1])
    def waits():
        try:
            engine.generate(PROMPT, LONG).text()
        except cm.ConvergioError:
            pass
    def loops():
        while True:
            try:
                engine.generate([4, 5], cm.SamplingParams(max_tokens=3)).text()
            except cm.ConvergioError:
                pass
    def logits():
        while True:
            try:
                engine.logits([4] * 20)
            except cm.ConvergioError:
                pass
    def loads():
        while True:
            try:
                cm.Engine.load(sys.argv[1])
            except cm.ConvergioError:
                pass
    for _ in range(6):
        threading.Thread(target=globals()[sys.argv[2]], daemon=True).start()
    time.sleep(0.3)
    print("end")
    """
    assert output(code, slow_folder, calls) == "end\n"


def test_a_program_may_end_inside_asyncio(slow_folder: Path) -> None:
    code = """
    import asyncio
    async def main(engine):
        await anext(engine.agenerate([4], LONG))
        tasks = [asyncio.create_task(engine.agenerate(PROMPT, LONG).text()) for _ in range(20)]
        await asyncio.sleep(0.3)
        print("end")
    asyncio.run(main(cm.Engine.load(sys.argv[1])))
    """
    assert output(code, slow_folder) == "end\n"


def test_other_atexit_handlers_may_still_call(folder: Path) -> None:
    code = """
    import atexit
    def late():
        try:
            engine.generate([4])
        except cm.ConvergioError as error:
            print(error)
        print(cm.Engine)
        engine.close()
    atexit.register(late)
    engine = cm.Engine.load(sys.argv[1])
    engine.generate([4], cm.SamplingParams(max_tokens=2)).text()
    """
    said = output(code, folder).splitlines()
    assert said[0] == "[engine] the engine was shut down with the program; start it again."
    assert len(said) == 2


@pytest.mark.slow
@pytest.mark.parametrize("how", ["sys.exit(7)", "os._exit(7)"])
def test_a_forked_child_is_told_and_ends_well(slow_folder: Path, how: str) -> None:
    code = f"""
    import os, asyncio
    engine = cm.Engine.load(sys.argv[1])
    running = engine.generate(PROMPT, LONG)
    asyncio.run(engine.agenerate([4], cm.SamplingParams(max_tokens=1)).text())
    child = os.fork()
    if child == 0:
        def use(call):
            try:
                call()
            except cm.ConvergioError as error:
                print(error, flush=True)
        use(lambda: engine.generate([4]))
        use(lambda: engine.logits([4]))
        use(lambda: cm.Engine.load(sys.argv[1]))
        use(lambda: asyncio.run(engine.agenerate([4]).text()))
        use(lambda: next(running))
        engine.close()
        {how}
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    running.cancel()
    print(engine.generate([4], cm.SamplingParams(max_tokens=1)).text() is not None)
    """
    lines = output(code, slow_folder).splitlines()
    assert lines == [
        *[FORKED] * 4,
        "[engine] this answer is being made in the process that this one was forked off; ask for "
        "one in a process started with multiprocessing's 'spawn' method.",
        "7",
        "True",
    ]


def test_a_process_forked_before_the_first_load_works(folder: Path) -> None:
    code = """
    import os
    child = os.fork()
    engine = cm.Engine.load(sys.argv[1])
    tokens = [t for c in engine.generate([4], cm.SamplingParams(max_tokens=5)) for t in c.token_ids]
    os.write(1, f"{tokens}\\n".encode())  # whole, where both write to one pipe
    if child:
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    first, second = output(code, folder).splitlines()
    assert first == second


@pytest.mark.slow
def test_spawned_processes_work(folder: Path, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        """
import multiprocessing, sys
import convergio_mlx as cm

def answer(number):
    engine = cm.Engine.load(sys.argv[1])
    params = cm.SamplingParams(max_tokens=5, ignore_eos=True)
    return [t for c in engine.generate([number], params) for t in c.token_ids]

if __name__ == "__main__":
    here = [answer(n) for n in (4, 5)]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        print(pool.map(answer, (4, 5)) == here)
"""
    )
    done = subprocess.run(
        [sys.executable, program, folder],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("True\n", "", 0)


@contextmanager
def started(code: str, folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """A program that has printed its first line; it ends with the block."""
    with subprocess.Popen(
        [sys.executable, "-c", HEAD + code, folder],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        try:
            assert program.stdout is not None
            assert program.stdout.readline() == "ready\n"
            yield program
        finally:
            program.kill()


def test_ctrl_c_is_heard_at_once(slow_folder: Path) -> None:
    code = """
import time
engine = cm.Engine.load(sys.argv[1])
generation = engine.generate(PROMPT, LONG)
print("ready", flush=True)
try:
    generation.text()
except KeyboardInterrupt:
    print(time.time(), flush=True)
generation.cancel()
print(list(generation)[-1].finish_reason)
print(engine.generate([4], cm.SamplingParams(max_tokens=1)).text() is not None)
"""
    delays = []
    while len(delays) < 20 and (not delays or delays[-1] >= 0.2):
        with started(code, slow_folder) as program:
            time.sleep(0.3)
            sent = time.time()
            program.send_signal(signal.SIGINT)
            said, complaints = program.communicate(timeout=600)
        heard, *rest = said.split()
        assert (rest, complaints, program.returncode) == (["cancelled", "True"], "", 0)
        delays.append(float(heard) - sent)
    assert delays[-1] < 0.2, delays


def test_ctrl_c_ends_asyncio_run(slow_folder: Path) -> None:
    code = """
import asyncio
engine = cm.Engine.load(sys.argv[1])
async def main():
    print("ready", flush=True)
    await asyncio.gather(*(engine.agenerate(PROMPT, LONG).text() for _ in range(5)))
try:
    asyncio.run(main())
except KeyboardInterrupt:
    print(engine.generate([4], cm.SamplingParams(max_tokens=1)).text() is not None)
"""
    with started(code, slow_folder) as program:
        time.sleep(0.3)
        program.send_signal(signal.SIGINT)
        said, complaints = program.communicate(timeout=600)
    assert (said, complaints, program.returncode) == ("True\n", "", 0)


def test_out_of_memory_ends_the_request_alone(slow_folder: Path) -> None:
    code = """
    import resource
    engine = cm.Engine.load(sys.argv[1])
    small = cm.SamplingParams(max_tokens=3, ignore_eos=True)
    before = [c.token_ids for c in engine.generate([4] * 9, small)]
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (60 << 20), -1))
    try:
        engine.generate([4] * 20000, cm.SamplingParams(max_tokens=1)).text()
    except cm.ConvergioError as error:
        print(type(error).__name__, error.retryable, error)
    after = [c.token_ids for c in engine.generate([4] * 9, small)]
    print(sum(after, ()) == sum(before, ()))
    """
    if not Path("/proc/self/statm").exists():
        pytest.skip("needs Linux")
    said = run(code, slow_folder)
    assert (said.returncode, said.stderr) == (0, "")
    refusal, works = said.stdout.splitlines()
    assert refusal.startswith("OutOfMemoryError True [engine] memory ran out (")
    assert refusal.endswith(
        "); use a shorter prompt, a smaller max_tokens or a smaller model, or close other programs."
    )
    assert works == "True"
