"""A made-up byte-level vocabulary of any size, so that each engine loads one of the true size."""

from __future__ import annotations

import json
from pathlib import Path

BEGIN, END = "<|begin|>", "<|end|>"


def byte_letters() -> list[str]:
    """GPT-2's letter for each of the 256 bytes."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {byte: chr(byte) for byte in printable}
    others = [byte for byte in range(256) if byte not in letters]
    letters |= {byte: chr(256 + i) for i, byte in enumerate(others)}
    return [letters[byte] for byte in range(256)]


def vocabulary(size: int) -> tuple[list[str], list[tuple[str, str]]]:
    """`size` tokens, the last two BEGIN and END, and the merges that make those of several
    letters: shortest first, so that each is made of two that came before it."""
    tokens = byte_letters()
    merges: list[tuple[str, str]] = []
    alphabet = tokens[ord("a") : ord("z") + 1]
    room = size - len(tokens) - 2
    heads = list(alphabet)
    while len(merges) < room:
        made = [(head, letter) for head in heads for letter in alphabet][: room - len(merges)]
        merges += made
        heads = [head + letter for head, letter in made]
        tokens += heads
    return [*tokens, BEGIN, END], merges


def write_tokenizer(folder: Path, size: int) -> None:
    """tokenizer.json and tokenizer_config.json as Hugging Face has them."""
    tokens, merges = vocabulary(size)
    ids = {token: index for index, token in enumerate(tokens)}
    added = [
        {
            "id": ids[token],
            "content": token,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        for token in (BEGIN, END)
    ]
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    tokenizer = {
        "version": "1.0",
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": level | {"use_regex": True},
        "post_processor": None,
        "decoder": level | {"use_regex": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {token: index for token, index in ids.items() if token not in (BEGIN, END)},
            "merges": [list(merge) for merge in merges],
        },
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False))
    named = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BEGIN,
        "eos_token": END,
        "clean_up_tokenization_spaces": False,
        "chat_template": "{% for m in messages %}{{ m.content }}{% endfor %}",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(named))
