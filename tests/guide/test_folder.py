"""The model folder as other programs see it: files, tokenizer, chat template."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guide.text import CHAT_TEMPLATE, renderer

FOLDER = Path(__file__).resolve().parents[2] / "python" / "convergio_mlx" / "guide"
CONFIG = json.loads((FOLDER / "config.json").read_text("utf-8"))
TOOLS = json.loads((Path(__file__).resolve().parent / "tools.json").read_text("utf-8"))

CHAT = [
    {"role": "system", "content": "Be brief."},
    {
        "role": "user",
        "content": [{"type": "text", "text": "weather in "}, {"type": "text", "text": "São Paulo"}],
    },
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "type": "function",
                "function": {"name": "get_weather", "arguments": {"city": "São Paulo"}},
            }
        ],
    },
    {"role": "tool", "content": '{"temperature_c": 24}'},
    {"role": "assistant", "content": "24 °C & <sunny>."},
    {"role": "user", "content": "thanks"},
]


def test_folder_is_below_four_megabytes() -> None:
    assert sum(f.stat().st_size for f in FOLDER.iterdir()) < 4_000_000


def test_every_matrix_is_stored_in_four_bits() -> None:
    from safetensors import safe_open

    group, bits = CONFIG["quantization"]["group_size"], CONFIG["quantization"]["bits"]
    with safe_open(FOLDER / "model.safetensors", framework="np") as file:
        names = set(file.keys())
        for name in names:
            stored = file.get_slice(name)
            shape, dtype = stored.get_shape(), stored.get_dtype()
            if f"{name.removesuffix('.weight')}.scales" in names and name.endswith(".weight"):
                assert dtype == "U32"
                columns = shape[1] * 32 // bits
                for part in ("scales", "biases"):
                    scale = file.get_slice(name.replace(".weight", f".{part}"))
                    assert scale.get_shape() == [shape[0], columns // group]
                    assert scale.get_dtype() == "F16"
            else:
                assert dtype == "F16"
                assert len(shape) == 1 or name.endswith((".scales", ".biases"))
    assert (
        len(names)
        == 3 * (1 + 7 * CONFIG["num_hidden_layers"]) + 2 * CONFIG["num_hidden_layers"] + 1
    )


@pytest.mark.slow
@given(st.text(max_size=60))
def test_any_text_comes_back_from_its_tokens(tokenizer: Any, text: str) -> None:
    special = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
    ids = tokenizer.encode(text).ids
    assert tokenizer.decode(ids, skip_special_tokens=not any(s in text for s in special)) == text
    assert all(i < CONFIG["vocab_size"] for i in ids)


def test_tool_call_marks_are_single_tokens_and_stay_in_the_text(tokenizer: Any) -> None:
    ids = tokenizer.encode("<tool_call>{}</tool_call><|im_end|>").ids
    assert len([i for i in ids if tokenizer.id_to_token(i).endswith("tool_call>")]) == 2
    assert tokenizer.decode(ids, skip_special_tokens=True) == "<tool_call>{}</tool_call>"
    assert ids[-1] in CONFIG["eos_token_id"]


def test_shipped_template_is_the_trained_one() -> None:
    stored = json.loads((FOLDER / "tokenizer_config.json").read_text("utf-8"))
    assert stored["chat_template"] == CHAT_TEMPLATE


def test_template_writes_tools_calls_and_results() -> None:
    text = renderer()(CHAT, [TOOLS["get_weather"]], add_generation_prompt=True)
    definition = json.dumps(TOOLS["get_weather"]["function"], ensure_ascii=False)
    assert text == (
        "<|im_start|>system\nBe brief.\n"
        'Tools, called by <tool_call>{"name": ..., "arguments": {...}}</tool_call>:\n'
        f"{definition}<|im_end|>\n"
        "<|im_start|>user\nweather in São Paulo<|im_end|>\n"
        '<|im_start|>assistant\n<tool_call>{"name": "get_weather", "arguments": '
        '{"city": "São Paulo"}}</tool_call><|im_end|>\n'
        '<|im_start|>tool\n{"temperature_c": 24}<|im_end|>\n'
        "<|im_start|>assistant\n24 °C & <sunny>.<|im_end|>\n"
        "<|im_start|>user\nthanks<|im_end|>\n<|im_start|>assistant\n"
    )


def test_arguments_given_as_a_string_render_alike() -> None:
    call = {"type": "function", "function": {"name": "add", "arguments": '{"a": 1, "b": 2}'}}
    same = {"type": "function", "function": {"name": "add", "arguments": {"a": 1, "b": 2}}}
    texts = [renderer()([{"role": "assistant", "tool_calls": [c]}]) for c in (call, same)]
    assert texts[0] == texts[1]
    assert '"arguments": {"a": 1, "b": 2}}' in texts[0]


@pytest.mark.parametrize("tools", [None, [TOOLS["get_weather"], TOOLS["add"]]])
@pytest.mark.parametrize("messages", [CHAT, CHAT[1:2]], ids=["chat", "question"])
def test_template_renders_as_in_transformers(messages: Any, tools: Any) -> None:
    transformers = pytest.importorskip("transformers")
    reference = transformers.PreTrainedTokenizerFast.from_pretrained(FOLDER)
    expected = reference.apply_chat_template(
        messages, tools=tools, add_generation_prompt=True, tokenize=False
    )
    assert renderer()(messages, tools, add_generation_prompt=True) == expected
