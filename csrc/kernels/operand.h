#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "kernels/kernel_set.h"
#include "mlx/array.h"

// From MLX's arrays to what the kernels take.
namespace convergio::kernels {

namespace mx = mlx::core;

/// The kernels' name of a type; nothing where they do not read it.
std::optional<Type> type_of(mx::Dtype dtype);

/// `a` itself where its rows are known to lie one after another, else an op that makes them so.
mx::array settled(const mx::array& a);

/// Rows of floats: item j of head h of row i is data[i · row + h · head + j · step].
struct Rows {
  const float* data;
  std::int64_t n;
  std::int64_t heads;  ///< 1 where there are none
  std::int64_t width;
  std::int64_t row;
  std::int64_t head;
  std::int64_t step;
};

/// A float32 array (n, width) or (n, heads, width) whose memory is in place (not yet its values).
Rows rows_of(const mx::array& a);

/// The same rows with a step of 1: copied into `spare` where they have another.
Rows straight(const Rows& rows, std::vector<float>& spare);

/// Memory for an output that may be written over `in`, row by row: its own where nobody else needs
/// it, else fresh.
void take_over(const mx::array& in, mx::array& out);

}  // namespace convergio::kernels
