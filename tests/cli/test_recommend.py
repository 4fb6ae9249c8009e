"""`models recommend`."""

import json

from cli.program import Run
from convergio_mlx.cli import exits

ROOMY = (
    "import convergio_mlx.sizing.recommend as r, convergio_mlx.sizing.fit as f;"
    "from convergio_mlx.platform.hardware.facts import Memory;"
    "memory = lambda: Memory({total}, {available});"
    "r.memory_for_models = f.memory_for_models = memory;"
    "from convergio_mlx.cli import main; main()"
)


def on_a_machine(run: Run, *arguments: str, total: float, available: float):  # type: ignore[no-untyped-def]
    from cli.program import PROGRAM

    code = ROOMY.format(total=int(total), available=int(available))
    return run("models", "recommend", *arguments, command=[PROGRAM[0], "-c", code])


def test_a_line_for_each_purpose(run: Run) -> None:
    found = on_a_machine(run, total=16e9, available=12e9)
    assert found.returncode == 0
    assert found.stdout.decode() == (
        "For this machine (models run on the CPU, 12.0 GB available):\n"
        "\n"
        "general    gemma-4-e2b: 3.6 GB to download; fits, all 131072 tokens\n"
        "code       none suits; qwen2.5-coder-7b (4.2 GB): fits, slow without a GPU\n"
        "reasoning  gemma-4-e2b: 3.6 GB to download; fits, all 131072 tokens\n"
        "smallest   smollm2-135m: 93 MB to download; fits, all 8192 tokens\n"
    )


def test_json(run: Run) -> None:
    found = on_a_machine(run, "--purpose", "smallest", "--json", total=16e9, available=12e9)
    answer = json.loads(found.stdout)
    assert (answer["backend"], answer["available_bytes"]) == ("cpu", 12_000_000_000)
    assert list(answer["recommended"]) == ["smallest"]
    assert answer["recommended"]["smallest"]["id"] == "smollm2-135m"
    assert answer["recommended"]["smallest"]["fit"]["verdict"] == "fits"


def test_nothing_fits(run: Run) -> None:
    found = on_a_machine(run, total=5e8, available=3e8)
    assert found.returncode == exits.MODEL
    assert found.stdout.decode().count("none suits; ") == 4


def test_no_such_purpose(run: Run) -> None:
    found = run("models", "recommend", "--purpose", "poetry")
    assert found.returncode == exits.USAGE
    assert b"invalid choice: 'poetry' (choose from " in found.stderr
