"""What holds for every test."""

from __future__ import annotations

import gc
import signal

# A shell that starts a job in the background has it ignore Ctrl-C, and so would every program that
# a test starts and then interrupts.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Collecting makes a million objects that all stay: looking for garbage among them takes a third of
# its time, and would go on taking it whenever a test looks for garbage of its own, and at the end.
gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()
