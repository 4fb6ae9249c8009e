"""Programs of their own, to see how they end."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

HEAD = """
import sys
import convergio_mlx as cm
LONG = cm.SamplingParams(max_tokens=20000, ignore_eos=True)
PROMPT = list(range(4, 104)) * 100
"""


def run(
    code: str, *arguments: str | Path, environment: dict[str, str] | None = None, head: str = HEAD
) -> subprocess.CompletedProcess[str]:
    """Runs a program after `head`; it ends within a minute."""
    return subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", head + textwrap.dedent(code)]
        + [str(argument) for argument in arguments],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def output(code: str, *arguments: str | Path, environment: dict[str, str] | None = None) -> str:
    """What a program prints that ends well and complains of nothing."""
    done = run(code, *arguments, environment=environment)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout
