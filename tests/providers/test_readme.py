"""The README's ten lines chat, stream and call a tool with the embedded model."""

import json
import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def test_ten_lines_chat_stream_and_call_a_tool(tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)
    (code,) = [block for block in blocks if "chat_with_tools" in block]
    assert len(code.strip().splitlines()) <= 10
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    chat, rest = done.stdout.split("\n", 1)
    assert "8 GB" in chat
    assert "convergio-mlx models download" in rest
    call = re.search(r"ToolCall\(id='\w+', name='get_weather', arguments='(.*?)'[,)]", rest)
    assert call is not None, rest
    assert list(json.loads(call[1])) == ["city"]
