"""How byte-pair vocabularies split a text, by the name in a GGUF file (`tokenizer.ggml.pre`)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from convergio_mlx.convert import split_patterns as by


@dataclass(frozen=True)
class PreTokenizer:
    """What a text goes through before its merges, beside the bytes that stand for characters."""

    steps: tuple[dict[str, Any], ...] = ()
    """tokenizer.json's pre-tokenizers, before the last one, which writes bytes as characters."""
    words: bool = False
    """Whether that last one splits by GPT-2's expression as well."""
    nfc: bool = False
    """Whether the text is put into Unicode's form C first."""
    ignore_merges: bool = False
    """Whether a part that is a token as a whole is taken as it is."""
    adds_bos: bool = False
    """Whether a text begins with BOS where the file does not say."""
    byte_level: bool = True
    """False: the vocabulary has characters and ▁ for spaces, like SentencePiece's, not bytes."""

    def to_json(self) -> dict[str, Any]:
        """tokenizer.json's `pre_tokenizer`."""
        bytes_of = {
            "type": "ByteLevel",
            "add_prefix_space": False,
            "trim_offsets": True,
            "use_regex": self.words,
        }
        if not self.steps:
            return bytes_of
        return {"type": "Sequence", "pretokenizers": [*self.steps, bytes_of]}


def _split(*expressions: str) -> tuple[dict[str, Any], ...]:
    """Each match is a part of its own, and what lies between two."""
    return tuple(
        {
            "type": "Split",
            "pattern": {"Regex": expression},
            "behavior": "Isolated",
            "invert": False,
        }
        for expression in expressions
    )


_DIGITS: dict[str, Any] = {"type": "Digits", "individual_digits": True}

_GPT2 = PreTokenizer(words=True)
_GPT2_DIGITS = PreTokenizer((_DIGITS,), words=True)
_LLAMA3 = PreTokenizer(_split(by.LLAMA3), ignore_merges=True, adds_bos=True)
_CL100K = PreTokenizer(_split(by.LLAMA3))
_QWEN2 = PreTokenizer(_split(by.QWEN2), nfc=True)
_QWEN2_PLAIN = replace(_QWEN2, nfc=False)
_O200K = PreTokenizer(_split(by.O200K))
_DEEPSEEK3 = PreTokenizer(_split(r"\p{N}{1,3}", by.CJK_KANA, by.DEEPSEEK3))
_BLOOM = PreTokenizer(_split(by.BLOOM))
_BAILING = PreTokenizer(_split(by.BAILING))
_AYA = PreTokenizer(_split(r"\d{1,3}(?=(?:\d{3})*\b)", by.O200K))
_SENTENCEPIECE = PreTokenizer(byte_level=False, adds_bos=True)

_NAMES: tuple[tuple[str, PreTokenizer], ...] = (
    ("default", PreTokenizer(_split(by.MARKS, by.GPT2, r"\p{N}+", "[0-9][0-9][0-9]"))),
    ("gpt-2 phi-2 gigachat a.x-4.0 mellum exaone4 trillion granite-docling jais", _GPT2),
    ("mpt olmo", replace(_GPT2, nfc=True)),
    ("smollm starcoder refact codeshell exaone minerva-7b mellum2", _GPT2_DIGITS),
    ("command-r", replace(_GPT2_DIGITS, nfc=True)),
    ("llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2", _LLAMA3),
    ("dbrx smaug-bpe glm4 chatglm-bpe", _CL100K),
    ("qwen2 deepseek-r1-qwen megrez kormo f2llmv2", _QWEN2),
    ("stablelm2 hunyuan solar-open grok-2", _QWEN2_PLAIN),
    ("qwen35", PreTokenizer(_split(by.QWEN35), nfc=True)),
    ("gpt-4o llama4 kanana2 talkie minimax-m2", _O200K),
    ("tekken", PreTokenizer(_split(by.TEKKEN), ignore_merges=True, adds_bos=True)),
    ("kimi-k2", PreTokenizer(_split(by.KIMI_K2))),
    ("deepseek-llm", PreTokenizer((*_split(*by.DEEPSEEK), _DIGITS))),
    ("deepseek-coder", PreTokenizer((*_split(*by.DEEPSEEK_CODER), _DIGITS))),
    ("deepseek-v3 hunyuan-dense joyai-llm hy_v4", _DEEPSEEK3),
    ("falcon", PreTokenizer(_split(by.FALCON_MARKS, by.GPT2, "[0-9][0-9][0-9]"))),
    ("poro-chat bloom gpt3-finnish", _BLOOM),
    ("viking", PreTokenizer((*_split(by.BLOOM), _DIGITS))),
    (
        "chameleon",
        PreTokenizer((*_split(*by.CHAMELEON), _DIGITS, *_split(by.EACH_MARK)), True, adds_bos=True),
    ),
    ("superbpe", PreTokenizer(_split(r"\p{N}+", r"(?=(\d{3})+(?!\d))"))),
    ("bailingmoe bailingmoe2 llada-moe", _BAILING),
    ("seed-coder", PreTokenizer(_split(by.SEED_CODER))),
    ("jais-2", PreTokenizer(_split(by.JAIS2))),
    ("tiny_aya cohere2moe", _AYA),
    ("exaone-moe", PreTokenizer(_split(by.EXAONE_MOE))),
    ("minicpm5", PreTokenizer(_split(r"\p{N}{1,3}", by.MINICPM5), ignore_merges=True)),
    ("laguna", PreTokenizer(_split(r"[^\n]+|[\n]+", by.QWEN2))),
    ("ufakzeka", PreTokenizer(_split(by.UFAKZEKA))),
    ("gemma4", _SENTENCEPIECE),
)

PRE_TOKENIZERS = {name: row for names, row in _NAMES for name in names.split()}
"""Every known name. Others are refused: split otherwise, a text has words the model never saw."""
