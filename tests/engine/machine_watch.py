"""For how long a busy machine keeps any process waiting, beside what is measured."""

from __future__ import annotations

import subprocess
import sys


class MachineWatch:
    """A process that sleeps a millisecond again and again, and says by how much it overslept."""

    CODE = """
import select, sys, time
longest = 0
while True:
    began = time.perf_counter()
    asked, _, _ = select.select([sys.stdin], [], [], 0.001)
    longest = max(longest, time.perf_counter() - began - 0.001)
    if asked:
        if not sys.stdin.readline():
            break
        print(longest, flush=True)
        longest = 0
"""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", self.CODE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def longest(self) -> float:
        """Seconds, since it was last asked."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def close(self) -> None:
        """Ends it."""
        self._process.communicate()
