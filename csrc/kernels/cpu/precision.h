#pragma once

namespace convergio::kernels {

/// True where activations, keys and values stay float32 everywhere: CONVERGIO_MLX_EXACT=1 (0 or
/// nothing: where activations of 16 bits are faster, matmuls use them, and a KV cache is float16;
/// anything else throws std::invalid_argument). Read once.
bool exact();

/// For tests: one or the other from now on.
void force_exact(bool exact);

}  // namespace convergio::kernels
