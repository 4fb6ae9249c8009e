"""The text tests' tokenizers: the embedded one, CONVERGIO_TEST_DATA's, and some made here."""

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers, trainers

import convergio_mlx
from convergio_mlx.text.tokenizer import Tokenizer

fuzz = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=100)
"""Loading a vocabulary takes longer than hypothesis allows a first example."""

DATA = Path(os.environ.get("CONVERGIO_TEST_DATA", "/nonexistent"))
FOLDERS = {path.name: path for path in sorted((DATA / "tokenizers").glob("*")) if path.is_dir()}
GUIDE = Path(convergio_mlx.__file__).parent / "guide"
if (GUIDE / "tokenizer.json").exists():
    FOLDERS["guide"] = GUIDE
REAL = list(FOLDERS)
MADE = ["byte-level", "sentencepiece", "metaspace"]
OFTEN = {"guide", "llama-3", "phi-3", *MADE}
"""One of each kind. To read a large one takes as long as many tests."""
real = [pytest.param(name, marks=() if name in OFTEN else pytest.mark.slow) for name in REAL]

SPECIAL = ["<s>", "</s>", "<unk>", "<|im_start|>", "<|im_end|>", "<|end|>"]

LINES = [
    "",
    " ",
    "   leading and trailing   ",
    "a\n\nb\r\n\tc\u00a0d\u2003e\u200bf",
    "def f(x):\n    return {'a': [1, 22, 333, 4444]}  # ok\n",
    "naïve café Ünïcödé; cafe\u0301 and caf\u00e9; e\u0301\u0323",
    "日本語の文章です。中文也一样！한국어 텍스트",
    "Привет, мир! مرحبا بالعالم שלום नमस्ते สวัสดี",
    "👩‍👩‍👧‍👦 🏳️‍🌈 😀😀 👍🏽 🇮🇹",
    "it's we'll I'M YOU'RE don't",
    "<|im_start|>user\nhi<|im_end|>\n<|eot_id|> <|end|>\n <s></s>  <s> x",
    "<|im_start |> <| im_end|> <|start_header_id|>",
    "<｜User｜>hi<｜Assistant｜><think>\nhm</think>",
    "1234567890 3.14159 -1e10 ½ ² Ⅷ",
    "\x00\x01\x7f\x80\ufeff\ufffd\uffff",
    "▁meta▁space▁ <0x0A> <0xE2>",
    "ﬁ ﬂ Å Å ﷽ ẞ",
    "x" * 300 + " " * 70 + "\n" * 12,
]

texts = st.lists(
    st.one_of(
        st.text(max_size=12),
        st.text(alphabet=" \n\t▁abé日😀\u0301", max_size=12),
        st.sampled_from([*LINES, *SPECIAL]),
    ),
    max_size=5,
).map("".join)
"""Any text, with much white space and many special tokens in it."""


def byte_level() -> tokenizers.Tokenizer:
    return tokenizers.Tokenizer.from_str(_trained())


@cache
def _trained() -> str:
    backend = tokenizers.Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=[AddedToken(text, special=True) for text in SPECIAL],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(LINES, trainer)
    backend.add_tokens([AddedToken("<think>", special=False), AddedToken("日本", special=False)])
    text: str = backend.to_str()
    return text


def sentencepiece() -> tokenizers.Tokenizer:
    merges = [
        ("▁", "a"),
        ("▁", "t"),
        ("t", "h"),
        ("▁t", "h"),
        ("h", "e"),
        ("▁t", "he"),
        ("é", "日"),
    ]
    letters = ["▁", "é", "日", "😀", *map(chr, range(33, 127))]
    pieces = [*SPECIAL[:3], *(f"<0x{byte:02X}>" for byte in range(256)), *letters]
    pieces += ["".join(merge) for merge in merges]
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}
    backend = tokenizers.Tokenizer(
        models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    backend.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    backend.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    backend.add_tokens([AddedToken(text, special=True) for text in SPECIAL])
    return backend


def metaspace() -> tokenizers.Tokenizer:
    backend = sentencepiece()
    backend.normalizer = None
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    return backend


_MAKE = {"byte-level": byte_level, "sentencepiece": sentencepiece, "metaspace": metaspace}


def write_folder(folder: Path, backend: tokenizers.Tokenizer | str | Path, **files: Any) -> Path:
    """A model's folder: tokenizer.json, and a JSON file of each keyword's name."""
    if isinstance(backend, Path):
        (folder / "tokenizer.json").symlink_to(backend)
    else:
        text = backend if isinstance(backend, str) else backend.to_str()
        (folder / "tokenizer.json").write_text(text, encoding="utf-8")
    for name, value in files.items():
        (folder / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")
    return folder


@cache
def tokenizer(name: str) -> Tokenizer:
    """One of REAL or MADE."""
    if name in REAL:
        return Tokenizer.from_folder(FOLDERS[name])
    return Tokenizer(_MAKE[name](), {"bos_token": "<s>", "eos_token": "</s>"})


def made(name: str) -> tokenizers.Tokenizer:
    return _MAKE[name]()
