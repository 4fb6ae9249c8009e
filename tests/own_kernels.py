"""Whether this process computes on our CPU kernels: a draft model drafts on them alone."""

from __future__ import annotations

import pytest

from convergio_mlx.platform.native import native

needs_own_kernels = pytest.mark.skipif(
    native().backend() != "cpu" or native().active_isa() == "off",
    reason="drafts are computed on our CPU kernels alone",
)
