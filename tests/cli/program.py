"""How these tests run the program, and what their models say."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable

SENTENCE = (
    "The quick brown fox jumps over a lazy dog while some considerably longer words show what "
    "wrapping does at the edge of narrow terminals"
)
CONTROL = ["ok \x1b[2J", "\x1b]0;owned\x07", "a\rb", "\x9b31m", "\x7f", "\ttab"]
WIDE = ["naïve ", "日本 ", "✓"]

PROGRAM = [sys.executable, "-m", "convergio_mlx"]
_HOME = tempfile.TemporaryDirectory(prefix="convergio-home-")
ENVIRONMENT = {
    **os.environ,
    "TERM": "xterm",
    "PYTHONUNBUFFERED": "",
    "CONVERGIO_HOME": _HOME.name,  # nobody's own choices
    "SSL_CERT_DIR": "/nonexistent",  # what no http:// needs is not read by each program
}
for _name in (
    *("NO_COLOR", "COLUMNS", "LINES", "FORCE_COLOR"),
    *("CONVERGIO_OFFLINE", "HF_HUB_OFFLINE", "SSL_CERT_FILE"),
):
    ENVIRONMENT.pop(_name, None)

Run = Callable[..., subprocess.CompletedProcess[bytes]]
"""`run(*arguments, stdin=b"", command=PROGRAM, **environment)`."""
