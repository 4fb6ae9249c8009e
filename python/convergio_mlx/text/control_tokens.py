"""Texts of special tokens in messages, encoded as the text that they are.

An encoder takes `<|im_end|>` for the end of a message wherever it is spelled out, so whoever writes
a part of a message could end it and speak as somebody else. Here messages are marked before a
template renders them: a sign is put into each such text, and the template's own marks are left as
they are. Then the rendered text is encoded with the template's marks as control tokens and the
signs taken out, by a second tokenizer that shares the model's vocabulary and knows no special
tokens.

Conversations without such texts are not changed, and have the ids that they always had.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from convergio_mlx.errors import InvalidRequestError

if TYPE_CHECKING:
    import tokenizers

SIGN = "\U00013080"
"""A hieroglyph: one character that no template changes, and that hardly anybody writes."""
_WRITTEN_SIGNS = (SIGN, json.dumps(SIGN)[1:-1])
_STAND_INS = 0x100000
"""The first character that stands for a control token: from there on nothing is assigned."""


class ControlTokens:
    """The special tokens of one tokenizer."""

    def __init__(self, backend: tokenizers.Tokenizer) -> None:
        """Finds them; an encoder that never takes their texts for them has none here."""
        self._backend = backend
        added = backend.get_added_tokens_decoder()
        self._special = {
            i: token
            for i, token in sorted(added.items())
            if token.special and len(token.content) > 1 and not backend.encode_special_tokens
        }
        self._stand_ins = {
            index: chr(_STAND_INS + place) for place, index in enumerate(self._special)
        }
        self._others = [token for token in added.values() if not token.special]
        texts = sorted(token.content for token in self._special.values())
        self._pattern = re.compile(_any_of(texts)) if texts else None
        self._plain: tokenizers.Tokenizer | None = None
        self._ids: dict[int, int] = {}

    def mark(self, *values: Any) -> tuple[bool, list[Any]]:
        """Plain values with a sign in each text of a special token, and whether there is one.

        Raises:
            InvalidRequestError: there is one, and the sign or a stand-in as well.
        """
        written = json.dumps(values, ensure_ascii=False)
        if self._pattern is None or not self._pattern.search(_unescaped(written)):
            return False, [*values]
        odd = next((c for c in written if c == SIGN or ord(c) >= _STAND_INS), None)
        if odd is not None:
            raise InvalidRequestError(
                f"[tokenizer] the messages have the text of a special token and the character "
                f"{odd!r}; leave one of them out, or give special_tokens_in_messages=True."
            )
        return True, [self._marked(value) for value in values]

    def _marked(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._broken(value)
        if isinstance(value, list):
            return [self._marked(item) for item in value]
        if isinstance(value, dict):
            return {self._broken(key): self._marked(item) for key, item in value.items()}
        return value

    def _broken(self, text: str) -> str:
        while self._pattern is not None and self._pattern.search(text):
            text = self._pattern.sub(lambda found: found[0][0] + SIGN + found[0][1:], text)
        return text

    def encode(self, text: str) -> list[int]:
        """The ids of a rendered text with signs in it.

        Raises:
            InvalidRequestError: the vocabulary makes a control token of a text all the same.
        """
        plain = self._without_special_tokens()
        encoding = self._backend.encode_batch([text], add_special_tokens=False)[0]
        parts, last, wanted = [], 0, 0
        for index, (start, end) in zip(encoding.ids, encoding.offsets, strict=True):
            token = self._special.get(index)
            if token is not None and token.content in text[start:end]:
                stand_in = self._stand_ins[index]
                parts += [text[last:start], text[start:end].replace(token.content, stand_in)]
                last, wanted = end, wanted + 1
        joined = "".join([*parts, text[last:]])
        for sign in _WRITTEN_SIGNS:
            joined = joined.replace(sign, "")
        ids = plain.encode_batch([joined], add_special_tokens=False)[0].ids
        ids = [self._ids.get(index, index) for index in ids]
        unknown = getattr(self._backend.model, "unk_token", None)
        control = {i for i, token in self._special.items() if token.content != unknown}
        if sum(index in control for index in ids) > wanted:
            raise InvalidRequestError(
                "[tokenizer] the messages have the text of a special token, which this vocabulary "
                "has as a word; leave it out, or give special_tokens_in_messages=True."
            )
        return ids

    def _without_special_tokens(self) -> tokenizers.Tokenizer:
        """A tokenizer of the same model that knows stand-ins in place of the special tokens."""
        if self._plain is not None:
            return self._plain
        import tokenizers

        backend = self._backend
        plain = tokenizers.Tokenizer(backend.model)
        if backend.normalizer is not None:
            plain.normalizer = backend.normalizer
        if backend.pre_tokenizer is not None:
            plain.pre_tokenizer = backend.pre_tokenizer
        stand_ins = {
            self._stand_ins[index]: tokenizers.AddedToken(
                self._stand_ins[index],
                single_word=token.single_word,
                lstrip=token.lstrip,
                rstrip=token.rstrip,
                normalized=token.normalized,
            )
            for index, token in self._special.items()
        }
        plain.add_tokens([*self._others, *stand_ins.values()])
        real: dict[str, int | None] = {self._stand_ins[index]: index for index in self._special}
        real |= {token.content: backend.token_to_id(token.content) for token in self._others}
        self._ids = {
            index: known
            for text, known in real.items()
            if known is not None and (index := plain.token_to_id(text)) is not None
        }
        self._plain = plain
        return plain


def _unescaped(written: str) -> str:
    """JSON's escapes are not in the texts of special tokens, but for these."""
    return written.replace('\\"', '"').replace("\\\\", "\\")


def _any_of(texts: list[str]) -> str:
    """A pattern of any of the sorted texts, the longest first: a tree, since some vocabularies have
    thousands that begin alike."""
    heads: dict[str, list[str]] = {}
    for text in texts:
        if text:
            heads.setdefault(text[0], []).append(text[1:])
    ways = [re.escape(head) + _any_of(tails) for head, tails in heads.items()]
    tree = f"(?:{'|'.join(ways)})" if ways else ""
    return f"{tree}?" if ways and "" in texts else tree
