"""Muon for the layers' matrices, AdamW for embeddings and norms."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


def orthogonal(matrices: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """(n, rows, columns): each matrix nearly with all singular values 1, by a quintic Newton-Schulz
    iteration (Jordan et al., Muon, 2024)."""
    x = matrices
    tall = x.shape[1] > x.shape[2]
    if tall:
        x = x.transpose(1, 2)
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        square = x @ x.transpose(1, 2)
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    result: torch.Tensor = x.transpose(1, 2) if tall else x
    return result


class Optimizer:
    """One step of both; `scale` multiplies the peak rates."""

    def __init__(
        self, model: nn.Module, matrix_rate: float, other_rate: float, decay: float
    ) -> None:
        self.groups: dict[tuple[int, int], list[nn.Parameter]] = {}
        others: list[nn.Parameter] = []
        for name, p in model.named_parameters():
            if p.dim() == 2 and "embed" not in name:
                self.groups.setdefault((p.shape[0], p.shape[1]), []).append(p)
            else:
                others.append(p)
        self.momentum = {k: torch.zeros(len(g), *k) for k, g in self.groups.items()}
        self.adam = torch.optim.AdamW(others, betas=(0.9, 0.98), eps=1e-9, weight_decay=0.0)
        self.matrix_rate, self.other_rate, self.decay = matrix_rate, other_rate, decay

    def state(self) -> dict[str, Any]:
        """What `load` takes."""
        return {"momentum": self.momentum, "adam": self.adam.state_dict()}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        self.momentum = state["momentum"]
        self.adam.load_state_dict(state["adam"])

    @torch.no_grad()
    def step(self, scale: float) -> None:
        """Update all parameters from their gradients, and clear these."""
        for (rows, columns), group in self.groups.items():
            gradient = torch.stack([p.grad for p in group if p.grad is not None])
            momentum = self.momentum[rows, columns]
            momentum.lerp_(gradient, 0.05)
            update = orthogonal(gradient.lerp_(momentum, 0.95))
            rate = scale * self.matrix_rate
            for p, u in zip(group, update, strict=True):
                p.mul_(1 - rate * self.decay).add_(u, alpha=-rate * max(1.0, rows / columns) ** 0.5)
                p.grad = None
        for options in self.adam.param_groups:
            options["lr"] = scale * self.other_rate
        self.adam.step()
        self.adam.zero_grad()
