"""The trainer's quantization against MLX's own."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
mx = pytest.importorskip("mlx.core")


@pytest.mark.parametrize("kind", ["normal", "positive", "negative", "constant", "zero"])
def test_rounds_as_mx_quantize(kind: str) -> None:
    from guide.quantize import affine, dequantize, packed, unpacked

    weight = torch.randn(48, 256, generator=torch.Generator().manual_seed(4)) * 0.05
    weight = {
        "normal": weight,
        "positive": weight.abs() + 0.2,
        "negative": -weight.abs() - 0.2,
        "constant": torch.full_like(weight, 0.3),
        "zero": torch.zeros_like(weight),
    }[kind]
    codes, scales, biases = affine(weight)
    words, mx_scales, mx_biases = mx.quantize(mx.array(weight.numpy()), group_size=64, bits=4)
    assert np.array_equal(packed(codes).numpy(), np.array(words))
    assert np.array_equal(scales.numpy(), np.array(mx_scales.astype(mx.float16)))
    assert np.array_equal(biases.numpy(), np.array(mx_biases.astype(mx.float16)))
    assert torch.equal(unpacked(packed(codes)), codes)
    stored = [a.astype(mx.float16).astype(mx.float32) for a in (mx_scales, mx_biases)]
    theirs = mx.dequantize(words, *stored, group_size=64, bits=4)
    assert np.allclose(dequantize(codes, scales, biases).numpy(), np.array(theirs), atol=1e-7)
