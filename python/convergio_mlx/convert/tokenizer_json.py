"""tokenizer.json, from a GGUF file's vocabulary."""

from __future__ import annotations

from typing import Any

from convergio_mlx.convert.gguf_vocabulary import PREFIX, TokenType, Vocabulary, corrupt, shown
from convergio_mlx.convert.pre_tokenizers import PreTokenizer
from convergio_mlx.convert.score_merges import merges_from_scores

_SPACE = "▁"
_TEXT = (TokenType.NORMAL, TokenType.UNDEFINED, TokenType.USER_DEFINED)
"""What text can become by merging."""
_KEEPS_SPACE = ("<unk>", "<s>", "<|endoftext|>")
"""Of Phi-3's special tokens, those that leave the white space after them."""


def tokenizer_json(
    vocabulary: Vocabulary,
    pre: PreTokenizer,
    *,
    prefixed: bool = False,
    around: tuple[bool, bool] = (False, False),
    right_strip: bool = False,
) -> dict[str, Any]:
    """The whole of tokenizer.json.

    Args:
        vocabulary: with merges, or else with scores.
        pre: how a text is split.
        prefixed: a space is put before a text and after each special token, as llama.cpp does.
        around: whether BOS comes before a text, and EOS after it.
        right_strip: special tokens take the white space after them, as Phi-3's do.

    Raises:
        ModelCorruptError: a token occurs twice, or a merge is not of two tokens that make a third.
    """
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": _added_tokens(vocabulary, right_strip),
        "normalizer": _normalizer(pre, prefixed),
        "pre_tokenizer": pre.to_json() if pre.byte_level else None,
        "post_processor": _post_processor(vocabulary, *around) if any(around) else None,
        "decoder": _decoder(pre, prefixed),
        "model": _model(vocabulary, pre),
    }


def _added_tokens(vocabulary: Vocabulary, right_strip: bool) -> list[dict[str, Any]]:
    """The tokens that are found in a text as they are, before anything else is done to it."""
    special = set(vocabulary.of_type(TokenType.CONTROL, TokenType.UNKNOWN))
    special |= {vocabulary.ids[name] for name in ("bos", "eos") if name in vocabulary.ids}
    return [
        {
            "id": index,
            "content": vocabulary.tokens[index],
            "single_word": False,
            "lstrip": False,
            "rstrip": right_strip and vocabulary.tokens[index] not in _KEEPS_SPACE,
            "normalized": False,
            "special": index in special,
        }
        for index in sorted(special.union(vocabulary.of_type(TokenType.USER_DEFINED)))
    ]


def _normalizer(pre: PreTokenizer, prefixed: bool) -> dict[str, Any] | None:
    if pre.byte_level:
        return {"type": "NFC"} if pre.nfc else None
    replaced = {"type": "Replace", "pattern": {"String": " "}, "content": _SPACE}
    if not prefixed:
        return replaced
    return {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": _SPACE}, replaced]}


def _decoder(pre: PreTokenizer, prefixed: bool) -> dict[str, Any]:
    if pre.byte_level:
        flags = ("add_prefix_space", "trim_offsets", "use_regex")
        return {"type": "ByteLevel", **dict.fromkeys(flags, True)}
    steps: list[dict[str, Any]] = [
        {"type": "Replace", "pattern": {"String": _SPACE}, "content": " "},
        {"type": "ByteFallback"},
        {"type": "Fuse"},
    ]
    if prefixed:
        steps.append({"type": "Strip", "content": " ", "start": 1, "stop": 0})
    return {"type": "Sequence", "decoders": steps}


def _post_processor(vocabulary: Vocabulary, bos: bool, eos: bool) -> dict[str, Any]:
    """BOS and EOS around a text; around each of two, with types that nobody here reads."""
    named = {
        name: vocabulary.tokens[vocabulary.ids[name]]
        for name, wanted in (("bos", bos), ("eos", eos))
        if wanted
    }

    def around(sequence: str, kind: int) -> list[dict[str, Any]]:
        part = {"Sequence": {"id": sequence, "type_id": kind}}
        mark = {n: [{"SpecialToken": {"id": t, "type_id": kind}}] for n, t in named.items()}
        return [*mark.get("bos", ()), part, *mark.get("eos", ())]

    return {
        "type": "TemplateProcessing",
        "single": around("A", 0),
        "pair": [*around("A", 0), *around("B", 1)],
        "special_tokens": {
            token: {"id": token, "ids": [vocabulary.ids[name]], "tokens": [token]}
            for name, token in named.items()
        },
    }


def _model(vocabulary: Vocabulary, pre: PreTokenizer) -> dict[str, Any]:
    """Byte-pair merging, over bytes or over characters."""
    if vocabulary.merges is not None:
        pairs = _merges(vocabulary, vocabulary.merges)
    else:
        pieces = {vocabulary.tokens[index]: index for index in vocabulary.of_type(*_TEXT)}
        pairs = merges_from_scores(pieces, vocabulary.scores or ())
    return {
        "type": "BPE",
        "dropout": None,
        "unk_token": None if pre.byte_level else _unknown(vocabulary),
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": not pre.byte_level,
        "byte_fallback": not pre.byte_level and bool(vocabulary.of_type(TokenType.BYTE)),
        "ignore_merges": pre.ignore_merges,
        "vocab": vocabulary.present,
        "merges": pairs,
    }


def _merges(vocabulary: Vocabulary, merges: list[str]) -> list[tuple[str, str]]:
    """The file's merges. Those of a user-defined token that has ▁ there and spaces in the list of
    tokens are left out: the token is found in the text as it is, before any merging."""
    present, found = vocabulary.present, []
    user_defined = vocabulary.of_type(TokenType.USER_DEFINED)
    spaced = {vocabulary.tokens[index].replace(" ", _SPACE) for index in user_defined} - {*present}
    for rank, merge in enumerate(merges):
        cut = max(merge.find(" ", 1), 0)
        left, right = merge[:cut], merge[cut + 1 :]
        if left in present and right in present and left + right in present:
            found.append((left, right))
        elif not left or spaced.isdisjoint((left, right, left + right)):
            raise corrupt(
                f"{PREFIX}merges[{rank}] is {shown(merge)}", "two tokens that make a third"
            )
    return found


def _unknown(vocabulary: Vocabulary) -> str | None:
    """The token that stands for characters which are none."""
    for index in vocabulary.of_type(TokenType.UNKNOWN):
        return vocabulary.tokens[index]
    return vocabulary.tokens[vocabulary.ids["unknown"]] if "unknown" in vocabulary.ids else None
