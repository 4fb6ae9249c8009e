"""Small random models with a tokenizer and a chat template."""

import itertools
import json
import string
import sys
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import AddedToken, decoders, models, pre_tokenizers

sys.path.insert(0, str(Path(__file__).parents[1]))
import checkpoints

SPECIAL = ["<s>", "</s>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>{{ voice or 'assistant' }}\n{% endif %}"
)


def make_tokenizer() -> tokenizers.Tokenizer:
    """Byte-level: all bytes, and pairs of letters, so that most answers are readable."""
    letters = string.ascii_lowercase[:12]
    pairs = list(itertools.product(letters, letters))
    pieces = [*SPECIAL, *sorted(pre_tokenizers.ByteLevel.alphabet()), *map("".join, pairs)]
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    backend = tokenizers.Tokenizer(models.BPE(vocabulary, pairs))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(text, special=True) for text in SPECIAL])
    return backend


VOCABULARY = make_tokenizer().get_vocab_size()


def config(**changes: Any) -> dict[str, Any]:
    return {
        "model_type": "llama",
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "intermediate_size": 96,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": VOCABULARY,
        "max_position_embeddings": 512,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "tie_word_embeddings": True,
        "eos_token_id": 1,
        **changes,
    }


def make_model(folder: Path, dtype: str = "F32", **changes: Any) -> Path:
    """A random checkpoint with a tokenizer and a chat template."""
    return write_model(folder, config(**changes), dtype)


def write_model(folder: Path, described: dict[str, Any], dtype: str = "F32") -> Path:
    """The same of any config.json whose vocabulary is the tokenizer's."""
    checkpoints.write(folder, described, dtype)
    make_tokenizer().save(str(folder / "tokenizer.json"))
    names = {"bos_token": "<s>", "eos_token": "</s>", "chat_template": TEMPLATE}
    (folder / "tokenizer_config.json").write_text(json.dumps(names))
    return folder


def ids(count: int, start: int = 0) -> list[int]:
    """A prompt that no other test uses the same of."""
    return [4 + (start * 31 + i * 7) % (VOCABULARY - 4) for i in range(count)]
