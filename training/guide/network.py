"""The llama architecture in torch: training with and without fake quantization, greedy decoding."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from .quantize import BITS, GROUP, affine, dequantize, fake_quantize, packed, unpacked
from .text import CONTEXT, VOCABULARY

Cache = list[tuple[torch.Tensor, torch.Tensor]]
Hidden = torch.Tensor | None


@dataclass(frozen=True)
class Shape:
    """The numbers of config.json, by their names there."""

    hidden_size: int = 256
    intermediate_size: int = 640
    num_hidden_layers: int = 4
    num_attention_heads: int = 8
    num_key_value_heads: int = 4
    head_dim: int = 32
    vocab_size: int = VOCABULARY
    max_position_embeddings: int = CONTEXT
    rms_norm_eps: float = 1e-5
    rope_theta: float = 10000.0


class Linear(nn.Linear):
    """A linear layer whose weight may be rounded to 4 bits in the forward pass."""

    quantized = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.linear(x, fake_quantize(self.weight) if self.quantized else self.weight)


def _linear(inputs: int, outputs: int) -> Linear:
    return Linear(inputs, outputs, bias=False)


def _rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


def _attend(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, hidden: torch.Tensor | None
) -> torch.Tensor:
    """Attention in plain matmuls: on a CPU the fused one's backward pass is slower. `hidden`,
    (batch or 1, 1, queries, keys), is true where a query must not look."""
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    if hidden is not None:
        scores.masked_fill_(hidden, float("-inf"))
    mixed: torch.Tensor = scores.softmax(-1).to(v.dtype) @ v
    return mixed


class Attention(nn.Module):
    """Grouped-query attention with rotary positions."""

    def __init__(self, s: Shape) -> None:
        super().__init__()
        self.shape = s
        self.q_proj = _linear(s.hidden_size, s.num_attention_heads * s.head_dim)
        self.k_proj = _linear(s.hidden_size, s.num_key_value_heads * s.head_dim)
        self.v_proj = _linear(s.hidden_size, s.num_key_value_heads * s.head_dim)
        self.o_proj = _linear(s.num_attention_heads * s.head_dim, s.hidden_size)

    def forward(
        self,
        x: torch.Tensor,
        rope: tuple[torch.Tensor, torch.Tensor],
        hidden: Hidden,
        cache: Cache | None,
        at: int,
    ) -> torch.Tensor:
        batch, length, _ = x.shape
        q, k, v = (
            p(x).view(batch, length, -1, self.shape.head_dim).transpose(1, 2)
            for p in (self.q_proj, self.k_proj, self.v_proj)
        )
        q, k = _rotate(q, *rope), _rotate(k, *rope)
        if cache is not None:
            if at < len(cache):
                k, v = torch.cat((cache[at][0], k), 2), torch.cat((cache[at][1], v), 2)
                cache[at] = (k, v)
            else:
                cache.append((k, v))
        repeat = self.shape.num_attention_heads // self.shape.num_key_value_heads
        k, v = k.repeat_interleave(repeat, 1), v.repeat_interleave(repeat, 1)
        out = _attend(q, k, v, hidden)
        result: torch.Tensor = self.o_proj(out.transpose(1, 2).reshape(batch, length, -1))
        return result


class FeedForward(nn.Module):
    """SwiGLU."""

    def __init__(self, s: Shape) -> None:
        super().__init__()
        self.gate_proj = _linear(s.hidden_size, s.intermediate_size)
        self.up_proj = _linear(s.hidden_size, s.intermediate_size)
        self.down_proj = _linear(s.intermediate_size, s.hidden_size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))
        return out


class Block(nn.Module):
    """One decoder layer."""

    def __init__(self, s: Shape) -> None:
        super().__init__()
        self.input_layernorm = nn.RMSNorm(s.hidden_size, s.rms_norm_eps)
        self.self_attn = Attention(s)
        self.post_attention_layernorm = nn.RMSNorm(s.hidden_size, s.rms_norm_eps)
        self.mlp = FeedForward(s)

    def forward(
        self,
        x: torch.Tensor,
        rope: tuple[torch.Tensor, torch.Tensor],
        hidden: Hidden,
        cache: Cache | None,
        at: int,
    ) -> torch.Tensor:
        x = x + self.self_attn(self.input_layernorm(x), rope, hidden, cache, at)
        out: torch.Tensor = x + self.mlp(self.post_attention_layernorm(x))
        return out


class Guide(nn.Module):
    """The whole model; embeddings are tied."""

    def __init__(self, s: Shape | None = None) -> None:
        super().__init__()
        self.cos: torch.Tensor
        self.sin: torch.Tensor
        self.shape = s = s or Shape()
        self.embed_tokens = nn.Embedding(s.vocab_size, s.hidden_size)
        self.layers = nn.ModuleList(Block(s) for _ in range(s.num_hidden_layers))
        self.norm = nn.RMSNorm(s.hidden_size, s.rms_norm_eps)
        self.quantized = False
        frequency = s.rope_theta ** (-torch.arange(0, s.head_dim, 2).float() / s.head_dim)
        angle = torch.arange(s.max_position_embeddings).float()[:, None] * frequency
        self.register_buffer("cos", angle.cos(), persistent=False)
        self.register_buffer("sin", angle.sin(), persistent=False)
        self._initialize()

    @torch.no_grad()
    def _initialize(self) -> None:
        """Normal weights, but the first heads of the first layer look at the token before.

        Copying (a city into a call's arguments) needs such a head and, above it, one that finds
        where the current token stood before. Found by chance they take long; given the first, the
        second is learned soon. All embeddings share a direction, from which the first heads' query
        is made, and the key is the query turned on by one position.
        """
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                depth = (2 * self.shape.num_hidden_layers) ** -0.5
                deep = name.endswith(("o_proj.weight", "down_proj.weight"))
                nn.init.normal_(parameter, std=0.04 * (depth if deep else 1.0))
        shared = torch.randn(self.shape.hidden_size).sign()
        self.embed_tokens.weight.mul_(0.7).add_(0.03 * shared)
        query = torch.full((self.shape.head_dim,), 0.04)
        key = _rotate(query, self.cos[1], self.sin[1])
        first = self.get_submodule("layers.0.self_attn")
        assert isinstance(first, Attention)
        group = self.shape.num_attention_heads // self.shape.num_key_value_heads
        for head in range(group):
            rows = slice(head * self.shape.head_dim, (head + 1) * self.shape.head_dim)
            first.q_proj.weight[rows] = torch.outer(query, shared)
        first.k_proj.weight[: self.shape.head_dim] = torch.outer(key, shared)

    def quantize(self, on: bool) -> None:
        """Round all matrices to 4 bits in the forward pass, or no longer."""
        self.quantized = on
        for module in self.modules():
            if isinstance(module, Linear):
                module.quantized = on

    def states(
        self,
        tokens: torch.Tensor,
        embedding: torch.Tensor,
        cache: Cache | None = None,
        documents: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """(batch, length, hidden_size) after the last norm. `documents` numbers the conversation
        of each token: one doesn't see another. Positions go on across them, which rotary
        embeddings, being relative, do not notice."""
        start, length = cache[0][0].shape[2] if cache else 0, tokens.shape[1]
        rope = self.cos[start : start + length], self.sin[start : start + length]
        hidden: Hidden = None
        if length > 1:
            future = torch.ones(length, start + length, dtype=torch.bool).triu(start + 1)
            hidden = future[None, None]
            if documents is not None:
                hidden = future | (documents[:, None, :, None] != documents[:, None, None, :])
        x = functional.embedding(tokens, embedding)
        for at, layer in enumerate(self.layers):
            x = layer(x, rope, hidden, cache, at)
        out: torch.Tensor = self.norm(x)
        return out

    def table(self) -> torch.Tensor:
        """The embedding matrix, rounded where quantization is on."""
        weight = self.embed_tokens.weight
        return fake_quantize(weight) if self.quantized else weight

    def forward(self, tokens: torch.Tensor, cache: Cache | None = None) -> torch.Tensor:
        """(batch, length, vocab) logits."""
        table = self.table()
        return functional.linear(self.states(tokens, table, cache), table)

    def loss(
        self, tokens: torch.Tensor, weights: torch.Tensor, documents: torch.Tensor
    ) -> torch.Tensor:
        """Sum of the weighted cross-entropies of the next tokens; weight zero costs nothing."""
        table = self.table()
        states = self.states(tokens[:, :-1], table, documents=documents[:, :-1])
        flat = weights[:, 1:].reshape(-1)
        rows = flat.nonzero().squeeze(1)
        logits = functional.linear(states.reshape(-1, states.shape[-1])[rows], table).float()
        targets = tokens[:, 1:].reshape(-1)[rows]
        losses = functional.cross_entropy(logits, targets, reduction="none")
        return (losses * flat[rows]).sum()

    @torch.inference_mode()
    def greedy(
        self, prompt: list[int], stop: frozenset[int], limit: int = 220
    ) -> tuple[list[int], float]:
        """The most likely continuation without the stop token, and the least lead of a chosen
        token's logit over the next."""
        cache: Cache = []
        out: list[int] = []
        lead = float("inf")
        tokens = torch.tensor([prompt])
        while len(out) < limit:
            best = self(tokens, cache)[0, -1].topk(2)
            lead = min(lead, float(best.values[0] - best.values[1]))
            token = int(best.indices[0])
            if token in stop:
                break
            out.append(token)
            tokens = torch.tensor([[token]])
        return out, lead


def _stored_name(name: str) -> str:
    return f"model.{name.removesuffix('.weight')}"


def config(shape: Shape, end: list[int]) -> dict[str, Any]:
    """config.json."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "attention_bias": False,
        "bos_token_id": None,
        "eos_token_id": end,
        "hidden_act": "silu",
        "mlp_bias": False,
        "model_type": "llama",
        "pad_token_id": 0,
        "quantization": {"group_size": GROUP, "bits": BITS, "mode": "affine"},
        "rope_scaling": None,
        "tie_word_embeddings": True,
        "torch_dtype": "float16",
        **asdict(shape),
    }


def write_model(folder: Path, model: Guide, end: list[int]) -> None:
    """config.json, generation_config.json and model.safetensors."""
    from safetensors.torch import save_file

    tensors: dict[str, torch.Tensor] = {}
    for name, parameter in model.named_parameters():
        stored, value = _stored_name(name), parameter.detach().float()
        if value.dim() == 2:
            codes, scales, biases = affine(value)
            tensors[f"{stored}.weight"] = packed(codes)
            tensors[f"{stored}.scales"] = scales
            tensors[f"{stored}.biases"] = biases
        else:
            tensors[f"{stored}.weight"] = value.half()
    file_ = folder / "model.safetensors"
    save_file(tensors, file_, metadata={"format": "mlx"})
    file_.chmod(0o644)
    generation = {"do_sample": False, "eos_token_id": end, "max_new_tokens": 256, "pad_token_id": 0}
    for file, content in (
        ("config.json", config(model.shape, end)),
        ("generation_config.json", generation),
    ):
        (folder / file).write_text(json.dumps(content, indent=2) + "\n", "utf-8")


def read_model(folder: Path) -> Guide:
    """The model of a folder, its 4-bit weights as float32."""
    from safetensors.torch import load_file

    stored = json.loads((folder / "config.json").read_text("utf-8"))
    model = Guide(Shape(**{k: stored[k] for k in Shape.__dataclass_fields__}))
    tensors = load_file(folder / "model.safetensors")
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            key = _stored_name(name)
            value = tensors[f"{key}.weight"]
            if parameter.dim() == 2:
                value = dequantize(
                    unpacked(value), tensors[f"{key}.scales"], tensors[f"{key}.biases"]
                )
            parameter.copy_(value)
    return model.eval()
