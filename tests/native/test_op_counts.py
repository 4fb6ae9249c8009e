"""What a token costs a GPU, counted in the graph that the engine makes (count_primitives.cpp says
how): MLX's primitives, which take time on the host, and kernels, which take it on the device."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from building import COUNTS, built, run

import checkpoints
from arch.variants import rows, tiny

pytestmark = [pytest.mark.native, pytest.mark.slow, pytest.mark.timeout(3600)]

Counts = tuple[int, int]
"""Primitives and kernels."""
OF_A_TOKEN: dict[str, Counts] = {
    "apertus": (103, 59),
    "cohere": (102, 54),
    "cohere2": (129, 68),
    "deepseek_v2": (194, 96),
    "deepseek_v3": (239, 116),
    "ernie4_5": (103, 56),
    "ernie4_5_moe": (223, 124),
    "exaone": (103, 56),
    "exaone4": (139, 79),
    "falcon_h1": (293, 133),
    "gemma": (105, 57),
    "gemma2": (145, 76),
    "gemma3_text": (151, 90),
    "gemma4_text": (267, 169),
    "glm4": (124, 68),
    "glm4_moe": (187, 101),
    "glm4_moe_lite": (217, 110),
    "gpt_oss": (309, 161),
    "granite": (107, 58),
    "granitemoe": (155, 82),
    "granitemoehybrid": (356, 169),
    "hunyuan_v1_dense": (109, 62),
    "internlm3": (103, 56),
    "kimi_linear": (420, 225),
    "laguna": (231, 125),
    "lfm2": (133, 77),
    "lfm2_moe": (202, 113),
    "llama": (103, 56),
    "llama4_text": (183, 103),
    "mamba2": (205, 86),
    "minimax_m2": (178, 98),
    "ministral3": (103, 56),
    "mistral": (103, 56),
    "mixtral": (157, 83),
    "muse_glimmer": (161, 96),
    "nemotron": (97, 53),
    "nemotron_h": (208, 97),
    "olmo2": (109, 62),
    "olmo3": (141, 81),
    "olmo_hybrid": (265, 139),
    "olmoe": (163, 89),
    "phi": (132, 69),
    "phi3": (91, 47),
    "phimoe": (264, 159),
    "qwen2": (121, 65),
    "qwen2_moe": (205, 110),
    "qwen3": (109, 62),
    "qwen3_5": (259, 129),
    "qwen3_5_moe": (371, 197),
    "qwen3_moe": (172, 95),
    "qwen3_next": (415, 193),
    "qwen3_vl": (109, 62),
    "seed_oss": (121, 65),
    "smollm3": (129, 69),
    "stablelm": (121, 65),
    "starcoder2": (133, 71),
}
"""Of a greedy token of each family's tiny configuration (tests/arch), its weights in bfloat16."""
VOCABULARY = 128256
OF_SAMPLING: dict[str, tuple[str, Counts]] = {
    "greedy": ("0 0 1 0 0 0 -1", (8, 2)),
    "temperature": ("1 0 1 0 0 0 -1", (15, 9)),
    "top-k": ("1 50 1 0 0 0 -1", (45, 26)),
    "top-p": ("1 0 0.9 0 0 0 -1", (55, 36)),
    "min-p": ("1 0 1 0.1 0 0 -1", (15, 9)),
    "all filters": ("1 20 0.9 0.05 0 0 -1", (51, 28)),
    "penalties": ("1 0 1 0 1 0 -1", (16, 10)),
    "bias": ("1 0 1 0 0 1 -1", (14, 9)),
    "logprobs": ("0 0 1 0 0 0 5", (33, 15)),
}
"""Of choosing one token: temperature, top_k, top_p, min_p, penalties, bias, logprobs; by MLX's
ops."""
BY_KERNELS: dict[str, Counts] = {
    "greedy": (8, 2),
    "temperature": (3, 2),
    "top-k": (3, 2),
    "top-p": (3, 2),
    "min-p": (3, 2),
    "all filters": (3, 2),
    "penalties": (6, 4),
    "bias": (4, 3),
    "logprobs": (33, 15),
}
"""The same where our own kernels draw."""


def count(*arguments: str | Path) -> Counts:
    done = run(built(COUNTS) / "count_primitives", *arguments)
    assert done.returncode == 0, done.stdout
    name, primitives, kernels = done.stdout.splitlines()[-1].split()
    assert name == "token"
    return int(primitives), int(kernels)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Counts]:
    """A greedy token of a Llama in 4 bits with so many layers."""
    root = tmp_path_factory.mktemp("llama")

    def counts(layers: int) -> Counts:
        config = {
            **tiny("llama"),
            "num_hidden_layers": layers,
            "quantization": {"group_size": 32, "bits": 4},
        }
        return count(checkpoints.write(root / str(layers), config, "BF16"), "bfloat16")

    return counts


def test_a_layer_of_llama_takes_as_few_as_it_can(llama: Callable[[int], Counts]) -> None:
    """mlx-lm's: 27 primitives, 17 kernels."""
    (few, few_kernels), (more, more_kernels) = llama(2), llama(3)
    layer, layer_kernels = more - few, more_kernels - few_kernels
    assert (layer, layer_kernels) == (23, 17)
    assert few_kernels - 2 * layer_kernels == 8  # beside the layers


@pytest.mark.parametrize("row", rows())
def test_a_token_of_each_family_takes_no_more(row: str, tmp_path: Path) -> None:
    folder = checkpoints.write(tmp_path / row, tiny(row), "BF16")
    assert count(folder, "bfloat16") == OF_A_TOKEN[row]


@pytest.mark.parametrize("setting", OF_SAMPLING)
def test_sampling_takes_no_more(setting: str) -> None:
    options, wanted = OF_SAMPLING[setting]
    assert count(str(VOCABULARY), *options.split(), "0") == wanted
    assert count(str(VOCABULARY), *options.split(), "1") == BY_KERNELS[setting]
