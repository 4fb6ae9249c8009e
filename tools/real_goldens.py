"""Computes what mlx-lm answers in float32 to the prompts of tests/real: tests/golden/.

    python tools/real_goldens.py FOLDER           writes tests/golden/smollm2.safetensors
    python tools/real_goldens.py FOLDER --check   computes again and compares

FOLDER is the registry's smollm2-135m (`convergio-mlx models download smollm2-135m`, and
`convergio-mlx models info smollm2-135m` says where it lies).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path.insert(0, str(TESTS))

from golden.real import ANSWER, FILE, TOP, log_softmax, prompts  # noqa: E402

REPEATABLE = 2e-4
"""How far two machines' log-probabilities may lie apart."""


def compute(folder: Path) -> dict[str, np.ndarray[Any, Any]]:
    """The content of the file."""
    import mlx.core as mx
    from mlx_lm import load

    import convergio_mlx as cm

    mx.set_default_device(mx.cpu)
    model, tokenizer = load(str(folder))
    model.set_dtype(mx.float32)

    def logits(tokens: list[int]) -> np.ndarray[Any, Any]:
        return np.array(model(mx.array([tokens]))[0])

    engine = cm.Engine.load(folder)
    found = {}
    for number, prompt in enumerate(prompts()):
        if "messages" in prompt:
            ids = tokenizer.apply_chat_template(prompt["messages"], add_generation_prompt=True)
        else:
            ids = tokenizer.encode(prompt["text"])
        tokens, rows = _answer(engine, logits, [int(token) for token in ids])
        logprobs = log_softmax(rows)
        top = np.argsort(-logprobs, axis=-1, kind="stable")[:, :TOP]
        found[f"{number}.tokens"] = np.array(tokens, dtype=np.int32)
        found[f"{number}.top"] = top.astype(np.uint16)
        found[f"{number}.logprobs"] = np.take_along_axis(logprobs, top, -1).astype(np.float32)
        print(f"{number + 1} of {len(prompts())}", end="\r", file=sys.stderr, flush=True)
    return found


def _answer(
    engine: Any, logits: Callable[[list[int]], np.ndarray[Any, Any]], prompt: list[int]
) -> tuple[list[int], np.ndarray[Any, Any]]:
    """The prompt with mlx-lm's greedy answer, and mlx-lm's logits before each of its tokens. The
    engine drafts it, since decoding with mlx-lm takes minutes here: up to the first token that
    mlx-lm would choose otherwise a draft is its answer."""
    import convergio_mlx as cm

    tokens = list(prompt)
    while True:
        wanted = len(prompt) + ANSWER - len(tokens)
        params = cm.SamplingParams(temperature=0, max_tokens=wanted, ignore_eos=True)
        draft = [token for chunk in engine.generate(tokens, params) for token in chunk.token_ids]
        rows = logits(tokens + draft[:-1])
        best = rows[len(tokens) - 1 :].argmax(-1).tolist()
        agreed = next((i for i, one in enumerate(best) if one != draft[i]), len(draft))
        tokens += best[: agreed + 1]
        if len(tokens) == len(prompt) + ANSWER:
            return tokens, rows[-ANSWER:]


def main() -> None:
    """Writes or checks the file."""
    from safetensors.numpy import load_file, save_file

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="the model's")
    parser.add_argument("--check", action="store_true", help="compare with the file; write nothing")
    arguments = parser.parse_args()
    computed = compute(arguments.folder)
    if not arguments.check:
        save_file(computed, FILE)
        return
    stored = load_file(FILE)
    tokens = [name for name in computed if name.endswith(".tokens")]
    other = [name for name in tokens if not np.array_equal(computed[name], stored[name])]
    apart = max(
        float(np.abs(computed[name] - stored[name]).max())
        for name in computed
        if name.endswith(".logprobs") and name.replace("logprobs", "tokens") not in other
    )
    print(f"prompts whose tokens differ: {other}; log-probabilities at most {apart:.1e} apart")
    if other or apart > REPEATABLE:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
