"""Vocabularies of a few hundred tokens, as model folders have them: byte-pair ones and trained
SentencePiece models. tools/llama_cpp_files.py puts them beside tiny models."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sentencepiece
import tokenizers
from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers

_WORDS = (
    *("the", "there", "then", "a", "an", "and", "in", "int", "of", "on", "or", "it", "is"),
    *("re", "ed", "er", "ing", "'s", "12", "=="),
)
_LINES = [
    "the end of the line is there",
    "an island in the lone ocean",
    "then it rained on her",
] * 9
_SPECIAL = ("<|endoftext|>", "<|user|>", "<|im_start|>", "<|im_end|>", "<|observation|>", "[gMASK]")
_TAIL = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_WORD = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+"
TEMPLATE = "{% for m in messages %}<|im_start|>{{ m['content'] }}<|im_end|>{% endfor %}"

Encode = Callable[[str], list[int]]


@dataclass(frozen=True)
class Written:
    """A vocabulary that lies in a folder."""

    encode: Encode
    """A text's ids without BOS, by the tokenizer itself."""
    special: list[str]
    """Texts that are one token wherever they stand."""


@dataclass(frozen=True)
class BytePair:
    """A vocabulary of the bytes, merges of some words, and special tokens."""

    expression: str | None
    """What a text is split by; None: GPT-2's, which the library has."""
    nfc: bool = False
    ignore_merges: bool = False

    def write(self, folder: Path, size: int) -> Written:
        """Writes tokenizer.json and tokenizer_config.json; `size` may be more than the tokens."""
        merges = list(dict.fromkeys(pair for word in _WORDS for pair in _pairs(f"Ġ{word}")))
        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        tokens = list(dict.fromkeys([*alphabet, *("".join(pair) for pair in merges)]))
        vocabulary = {token: index for index, token in enumerate(tokens)}
        made = tokenizers.Tokenizer(
            models.BPE(vocabulary, merges, ignore_merges=self.ignore_merges)
        )
        made.normalizer = normalizers.NFC() if self.nfc else None
        by_bytes = pre_tokenizers.ByteLevel(False, use_regex=self.expression is None)
        made.pre_tokenizer = by_bytes
        if self.expression is not None:
            split = pre_tokenizers.Split(Regex(self.expression), "isolated")
            made.pre_tokenizer = pre_tokenizers.Sequence([split, by_bytes])
        made.decoder = decoders.ByteLevel()
        made.add_tokens([AddedToken(text, special=True) for text in _SPECIAL])
        made.add_tokens([AddedToken("<tool_call>", special=False)])
        assert made.get_vocab_size() < size, made.get_vocab_size()
        made.save(str(folder / "tokenizer.json"))
        _write_config(folder, eos_token="<|endoftext|>", chat_template=TEMPLATE)
        special = [*_SPECIAL, "<tool_call>"]
        return Written(lambda text: made.encode(text, add_special_tokens=False).ids, special)


@dataclass(frozen=True)
class SentencePiece:
    """A model with byte fallback, trained on a few lines."""

    bos_eos_unk_pad: tuple[int, int, int, int] = (1, 2, 0, -1)
    prefixed: bool = True
    """A space is put before a text."""
    control: tuple[str, ...] = ()
    user_defined: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    """Special tokens that tokenizer_config.json adds at the end."""

    def write(self, folder: Path, size: int) -> Written:
        """Writes tokenizer.model and tokenizer_config.json."""
        bos, eos, unk, pad = self.bos_eos_unk_pad
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(_LINES),
            model_prefix=str(folder / "tokenizer"),
            vocab_size=size - len(self.added),
            model_type="bpe",
            byte_fallback=True,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            add_dummy_prefix=self.prefixed,
            split_digits=True,
            control_symbols=list(self.control),
            user_defined_symbols=list(self.user_defined),
            bos_id=bos,
            eos_id=eos,
            unk_id=unk,
            pad_id=pad,
            minloglevel=2,
        )
        (folder / "tokenizer.vocab").unlink()
        made = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
        first = made.vocab_size()
        decoder = {first + i: (text, True) for i, text in enumerate(self.added)}
        decoder |= {made.piece_to_id(text): (text, True) for text in self.control}
        decoder |= {made.piece_to_id(text): (text, False) for text in self.user_defined}
        _write_config(
            folder,
            tokenizer_class="LlamaTokenizer",
            add_bos_token=True,
            add_eos_token=False,
            added_tokens_decoder={
                str(index): {"content": text, "special": special}
                for index, (text, special) in decoder.items()
            },
        )
        return Written(made.encode, list(self.user_defined))


@dataclass(frozen=True)
class Characters:
    """Merges over characters, with ▁ for spaces and byte fallback."""

    special: tuple[str, ...]

    def write(self, folder: Path, size: int) -> Written:
        """Writes tokenizer.json and tokenizer_config.json of as many tokens."""
        merges = list(dict.fromkeys(pair for word in _WORDS for pair in _pairs(f"▁{word}")))
        alphabet = sorted({text for pair in merges for text in pair if len(text) == 1})
        made = [*alphabet, *("".join(pair) for pair in merges)]
        by_bytes = [f"<0x{byte:02X}>" for byte in range(256)]
        tokens = list(dict.fromkeys([*self.special, *by_bytes, *made]))
        tokens += [f"<unused{index}>" for index in range(size - len(tokens))]
        vocabulary = {token: index for index, token in enumerate(tokens)}
        model = models.BPE(vocabulary, merges, byte_fallback=True, fuse_unk=True, unk_token="<unk>")
        tokenizer = tokenizers.Tokenizer(model)
        tokenizer.normalizer = normalizers.Replace(" ", "▁")
        steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
        tokenizer.decoder = decoders.Sequence(steps)
        tokenizer.add_special_tokens([AddedToken(text, special=True) for text in self.special])
        assert tokenizer.get_vocab_size() == size, tokenizer.get_vocab_size()
        tokenizer.save(str(folder / "tokenizer.json"))
        names = dict(zip(("pad", "eos", "bos", "unk"), self.special, strict=False))
        _write_config(
            folder,
            additional_special_tokens=list(self.special[len(names) :]),
            **{f"{name}_token": text for name, text in names.items()},
        )
        return Written(lambda text: tokenizer.encode(text).ids, list(self.special))


_GEMMA = (
    *("<mask>", "<2mass>", "[@BOS@]", *(f"<unused{i}>" for i in range(99))),
    *("<start_of_turn>", "<end_of_turn>", "\n\n", "▁▁", "▁▁▁▁", "<h1>"),
)
"""Gemma's, at its ids: the script writes 107 as the end of a turn."""

VOCABULARIES: dict[str, BytePair | SentencePiece | Characters] = {
    "gpt2": BytePair(None),
    "llama3": BytePair(rf"{_WORD}|\p{{N}}{{1,3}}|{_TAIL}", ignore_merges=True),
    "qwen2": BytePair(rf"{_WORD}|\p{{N}}|{_TAIL}", nfc=True),
    "llama": SentencePiece(),
    "mistral": SentencePiece(control=("[INST]", "[/INST]")),
    "phi3": SentencePiece(added=("<|endoftext|>", "<|user|>", "<|end|>")),
    "gemma4": Characters(("<pad>", "<eos>", "<bos>", "<unk>", "<|turn>", "<turn|>")),
    "gemma": SentencePiece((2, 1, 3, 0), prefixed=False, user_defined=_GEMMA),
}


def _pairs(word: str) -> list[tuple[str, str]]:
    return [(word[:end], word[end]) for end in range(1, len(word))]


def _write_config(folder: Path, **fields: Any) -> None:
    config = {"tokenizer_class": "PreTrainedTokenizerFast", **fields}
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
