"""A model that says what it is told to: a checkpoint whose weights spell out a text.

Attention and feed-forward are zero, so the residual stream is the last token's embedding, which
is one-hot; the head maps each token to its successor. Greedy decoding then walks the script.
"""

import itertools
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

END = "<|end|>"
BEGIN = "<|assistant|>"
TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
LAYERS, HEADS, HEAD_DIM, FEED_FORWARD = 2, 4, 32, 64


def scripted_model(
    folder: Path, script: Sequence[str], *, endless: bool = False, context: int = 32768
) -> Path:
    """A folder with a model that answers every conversation, and continues every text that
    ends with "go", with the script's pieces: different texts, one a token.

    Args:
        endless: begin again after the last piece, instead of ending.
        context: the context window.
    """
    folder.mkdir(parents=True)
    tokenizer = _tokenizer(script)
    tokenizer.save(str(folder / "tokenizer.json"))
    pieces = [_id(tokenizer, piece) for piece in script]
    successor = {_id(tokenizer, BEGIN): pieces[0], _id(tokenizer, "go"): pieces[0]}
    successor |= dict(itertools.pairwise(pieces))
    successor[pieces[-1]] = pieces[0] if endless else _id(tokenizer, END)
    vocab = tokenizer.get_vocab_size(with_added_tokens=True)
    hidden = -(-vocab // 64) * 64
    save_file(_weights(vocab, hidden, successor), folder / "model.safetensors")
    config = {
        "model_type": "llama",
        "hidden_size": hidden,
        "intermediate_size": FEED_FORWARD,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS,
        "head_dim": HEAD_DIM,
        "rms_norm_eps": 1e-6,
        "vocab_size": vocab,
        "max_position_embeddings": context,
        "rope_theta": 10000.0,
        "tie_word_embeddings": False,
        "eos_token_id": _id(tokenizer, END),
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"eos_token": END, "chat_template": TEMPLATE})
    )
    return folder


def _tokenizer(script: Sequence[str]) -> Tokenizer:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: i for i, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([END, "<|system|>", "<|user|>", BEGIN])
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in ("go", *script)])
    return tokenizer


def _id(tokenizer: Tokenizer, token: str) -> int:
    found = tokenizer.token_to_id(token)
    assert found is not None, token
    return found


def _weights(vocab: int, hidden: int, successor: dict[int, int]) -> dict[str, np.ndarray]:
    embedding = np.zeros((vocab, hidden), np.float32)
    embedding[np.arange(vocab), np.arange(vocab)] = 1
    head = np.zeros((vocab, hidden), np.float32)
    for token, following in successor.items():
        head[following, token] = 1
    weights = {
        "model.embed_tokens.weight": embedding,
        "lm_head.weight": head,
        "model.norm.weight": np.ones(hidden, np.float32),
    }
    inner = HEADS * HEAD_DIM
    shapes = {
        "self_attn.q_proj": (inner, hidden),
        "self_attn.k_proj": (inner, hidden),
        "self_attn.v_proj": (inner, hidden),
        "self_attn.o_proj": (hidden, inner),
        "mlp.gate_proj": (FEED_FORWARD, hidden),
        "mlp.up_proj": (FEED_FORWARD, hidden),
        "mlp.down_proj": (hidden, FEED_FORWARD),
    }
    for layer in range(LAYERS):
        prefix = f"model.layers.{layer}."
        for name, shape in shapes.items():
            weights[f"{prefix}{name}.weight"] = np.zeros(shape, np.float32)
        for norm in ("input_layernorm", "post_attention_layernorm"):
            weights[f"{prefix}{norm}.weight"] = np.ones(hidden, np.float32)
    return weights
