"""A host without llguidance: everything but constrained answers works."""

import subprocess
import sys

CODE = """
import importlib.abc
import sys

class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "llguidance":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Missing())
from convergio_mlx import Engine, MlxProvider
from convergio_mlx.errors import UnavailableError

with MlxProvider() as provider:
    assert provider.chat("convergio-guide", None, "hello").text
ask = [{"role": "user", "content": "hello"}]
with Engine.load("convergio-guide") as engine:
    assert engine.generate("hello", max_tokens=3).text()
    assert engine.stream(ask, max_tokens=3).response().text
    tool = {"type": "function", "function": {"name": "f"}}
    form = {"type": "json_object"}
    for options in ({"response_format": form}, {"tools": [tool]}):
        try:
            engine.stream(ask, **options)
        except UnavailableError as error:
            print(error)
"""


def test_everything_but_constrained_answers_works() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE], check=False, capture_output=True, text=True, timeout=120
    )
    sentence = (
        "[structured] llguidance is not installed, which answers held to a form or with tools "
        "need; run `pip install 'llguidance>=1.9,<1.10'`.\n"
    )
    assert (done.stdout, done.stderr, done.returncode) == (2 * sentence, "", 0)
