#pragma once

#include <vector>

#include "mlx/array.h"

// Rows that MLX's ops take through a state: one at a time, or chunks of them as matrices.
namespace convergio::kernels {

namespace mx = mlx::core;

/// (n, heads · d) → (n, heads, d) in float32.
mx::array heads_of_rows(const mx::array& x, int heads);

/// Rows [from, to) of (n, heads, d).
mx::array rows_of(const mx::array& x, int from, int to);

/// state · decay + column · row, by one kernel on a GPU: state (heads, m, d), decay (heads, 1, d)
/// or (heads, 1, 1), column (heads, m, 1), row (heads, 1, d).
mx::array decayed_sum(const mx::array& state, const mx::array& decay, const mx::array& column,
                      const mx::array& row);

/// Results (heads, d, 1) of each row → (n, heads, d).
mx::array rows_of_columns(const std::vector<mx::array>& results);

/// The rows of a chunk for n of them: a power of two, `most` at most.
int chunk_rows(int n, int most);

/// (n, heads, d) → (chunks, heads, rows, d), the last chunk filled up with zeros.
mx::array chunks_of(const mx::array& x, int rows);

/// Chunk i: (heads, rows, d).
mx::array chunk_at(const mx::array& x, int i);

/// Results (heads, rows, d) of each chunk → (n, heads, d).
mx::array rows_of_chunks(const std::vector<mx::array>& results, int n);

/// How a state decays within chunks, of logarithms (chunks, heads, rows, d).
struct Decays {
  mx::array from_start;  ///< from the state before a chunk to each row: shaped as given
  mx::array between;     ///< from row j to row i, 0 where j > i: (chunks, heads, rows, rows, d)
  mx::array to_end;      ///< from each row to the last: shaped as given
  mx::array whole;       ///< from the state before a chunk to the last row: (chunks, heads, 1, d)
};
Decays decays_of(const mx::array& logarithms);

}  // namespace convergio::kernels
