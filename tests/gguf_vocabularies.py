"""GGUF metadata of a vocabulary, as llama.cpp's converter writes it, and strings to encode."""

from __future__ import annotations

import random
from typing import Any

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
ALPHABET = [chr(c) for c in (*range(33, 127), *range(161, 173), *range(174, 256), *range(256, 324))]
"""What stands for the 256 bytes in a byte-level vocabulary."""

_PARTS = [
    *" \n\t\r\u00a0\u3000\u2003\u200b\u200d\ufeff\x00\x7f",
    *("  ", "   ", "    ", "\n\n", "\n\n\n", "\r\n", " \n ", "\t\t", "▁", "▁▁"),
    *("Hello", "hello world", " the", "I'm", "WE'LL", "it's", "don't", "'S", "'ſ", "x's y'RE"),
    *("0", "12", "123", "1234567890", "3.14159", "1e-9", "½", "Ⅷ", "٣٤", "²³", "1,000,000"),
    *("def f(x):\n    return x**2  # ok\n", "if(a!=b){++i;}", "</div>", "C:\\dir\\file", "a_b__c"),
    *("日本語", "中文也一样！", "한국어 텍스트", "ひらがなカタカナ", "漢字かな交じり文"),
    *("Привет, мир!", "مرحبا بالعالم", "שלום", "नमस्ते", "สวัสดี", "ქართული", "Ελληνικά", "ﬁ ﬂ ﷽ ẞ"),
    *("e\u0301", "é", "n\u0303o", "\u0301", "a\u0323\u0302", "가", "\u1100\u1161", "Å Å"),
    *("😀", "👩‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇮🇹", "\U0001f9ff\ufe0f"),
    *("!!!", "...", "---", "——", "“”", "¿?", "$€£", "+-*/=", "#@&", "((()))", "~`^|"),
    *("camelCaseWORDSandMORE", "HTTPServer", "iPhone15", "ÄÖÜäöü", "ΑΒγ", "<0x0A>", "<0xE2>", "<s"),
    *("IMGIMGABZ", "<sentinel:7>", "\ud7ff", "\ue000", "\U000e0041", "\uffff", "￼"),
]


def odd_strings(special: list[str], count: int = 500, seed: int = 12) -> list[str]:
    """Different strings of spaces, digits, scripts, code, long runs, and special tokens' texts."""
    rng = random.Random(seed)
    runs = ["a" * 300, " " * 150, "\n" * 60, "é" * 40, "7" * 50]
    found = dict.fromkeys(["", " ", "  ", "\n", *runs, *special[:20]])
    while len(found) < count:
        parts = [rng.choice(_PARTS) for _ in range(rng.randrange(1, 9))]
        if special and rng.random() < 0.3:
            parts.insert(rng.randrange(len(parts) + 1), rng.choice(special))
        if rng.random() < 0.1:
            parts.append(rng.choice(_PARTS) * rng.randrange(2, 40))
        if rng.random() < 0.3:
            parts += [chr(rng.choice((0x250, 0x900, 0x4E00, 0x1F300)) + rng.randrange(200))]
        found[rng.choice(["", " "]).join(parts)] = None
    return [*found]


def looks_special(token: str) -> bool:
    """Whether llama.cpp's converter takes an added token for a control token by its looks."""
    ends = (("<|", "|>"), ("<｜", "｜>"), ("<unused", ">"))
    return token in ("<pad>", "<mask>") or any(
        token.startswith(left) and token.endswith(right) for left, right in ends
    )


def metadata_of(tokenizer: dict[str, Any], pre: str | None, **named: int) -> dict[str, Any]:
    """The keys that llama.cpp's converter writes for a tokenizer.json.

    Args:
        tokenizer: the file.
        pre: the name of its pre-tokenizer, or None for a vocabulary with scores.
        named: ids: `eos_token_id=2`.
    """
    vocabulary = dict(tokenizer["model"]["vocab"])
    added = {token["content"]: token for token in tokenizer["added_tokens"]}
    vocabulary |= {text: token["id"] for text, token in added.items()}
    tokens = [f"[PAD{i}]" for i in range(max(vocabulary.values()) + 1)]
    types = [UNUSED] * len(tokens)
    for text, index in vocabulary.items():
        tokens[index], types[index] = text, NORMAL
        if text in added:
            control = added[text]["special"] or looks_special(text)
            types[index] = CONTROL if control else USER_DEFINED
    found: dict[str, Any] = {
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": types,
        **{f"tokenizer.ggml.{name}": index for name, index in named.items()},
    }
    if pre is not None:
        merges = [m if isinstance(m, str) else " ".join(m) for m in tokenizer["model"]["merges"]]
        return found | {
            "tokenizer.ggml.model": "gpt2",
            "tokenizer.ggml.pre": pre,
            "tokenizer.ggml.merges": merges,
        }
    for index, token in enumerate(tokens):
        if len(token) == 6 and token.startswith("<0x"):
            types[index] = BYTE
        elif token == tokenizer["model"]["unk_token"]:
            types[index] = UNKNOWN
    scores = [-float(i) if kind == NORMAL else -1000.0 for i, kind in enumerate(types)]
    for index, token in enumerate(tokens):
        if token.strip("▁") == "":  # Llama's runs of spaces have one score, below all others
            scores[index] = -1e9 if len(token) > 1 else scores[index]
    return found | {"tokenizer.ggml.model": "llama", "tokenizer.ggml.scores": scores}


def bytes_only(**more: Any) -> dict[str, Any]:
    """A byte-pair vocabulary of the bytes, two merges and an end."""
    tokens = [*ALPHABET, "Ġa", "Ġab", "<|end|>"]
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [NORMAL] * (len(tokens) - 1) + [CONTROL],
        "tokenizer.ggml.merges": ["Ġ a", "Ġa b"],
        "tokenizer.ggml.eos_token_id": len(tokens) - 1,
        **{f"tokenizer.{key}": value for key, value in more.items()},
    }
