#include "kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "kernels/cores.h"
#include "kernels/kernel_set.h"
#include "kernels/operand.h"
#include "kernels/pool.h"
#include "kernels/primitive.h"
#include "mlx/fast.h"
#include "mlx/ops.h"

namespace convergio::kernels {

namespace {

/// True where query i (at key m - n + i) may see key j: (n, m).
mx::array visible(int n, int m, int window) {
  const mx::array queries = mx::expand_dims(mx::arange(m - n, m, mx::int32), 1);
  const mx::array keys = mx::expand_dims(mx::arange(0, m, mx::int32), 0);
  mx::array mask = mx::less_equal(keys, queries);
  if (window > 0) {
    mask = mx::logical_and(mask, mx::greater(keys, mx::subtract(queries, mx::array(window))));
  }
  return mask;
}

/// Scores are squashed before the softmax, which no fused op does.
mx::array softcapped(const mx::array& q, const mx::array& keys, const mx::array& values,
                     const AttentionOptions& options) {
  const int n = q.shape(0);
  const int kv_heads = keys.shape(0);
  const int group = q.shape(1) / kv_heads;
  const int head_dim = q.shape(2);
  mx::array grouped = mx::reshape(mx::transpose(q, {1, 0, 2}), {kv_heads, group, n, head_dim});
  grouped = mx::multiply(grouped, mx::array(options.scale, q.dtype()));
  const mx::array k = mx::expand_dims(mx::astype(keys, q.dtype()), 1);
  const mx::array v = mx::expand_dims(mx::astype(values, q.dtype()), 1);
  const mx::array cap(options.softcap, q.dtype());
  mx::array scores = mx::matmul(grouped, mx::swapaxes(k, -1, -2));
  scores = mx::multiply(cap, mx::tanh(mx::divide(scores, cap)));
  scores = mx::where(visible(n, keys.shape(1), options.window), scores,
                     mx::array(-std::numeric_limits<float>::infinity(), scores.dtype()));
  const mx::array mixed = mx::matmul(mx::softmax(scores, -1, /*precise=*/true), v);
  return mx::reshape(mixed, {kv_heads * group, n, head_dim});
}

mx::array mlx_attention(const mx::array& q, const mx::array& keys, const mx::array& values,
                        const AttentionOptions& options) {
  const int n = q.shape(0);
  const int m = keys.shape(1);
  mx::array out = q;
  if (options.softcap > 0.0F) {
    out = softcapped(q, keys, values, options);
  } else {
    const bool windowed = options.window > 0 && options.window < m;
    const mx::array heads_first = mx::expand_dims(mx::transpose(q, {1, 0, 2}), 0);
    std::optional<mx::array> mask;
    if (windowed) {
      mask = visible(n, m, options.window);
    }
    out = mx::fast::scaled_dot_product_attention(
        heads_first, mx::expand_dims(mx::astype(keys, q.dtype()), 0),
        mx::expand_dims(mx::astype(values, q.dtype()), 0), options.scale,
        windowed ? "array" : (n > 1 ? "causal" : ""), mask);
    out = mx::squeeze(out, 0);
  }
  return mx::reshape(mx::transpose(out, {1, 0, 2}), {n, -1});
}

KeysOrValues view_of(const mx::array& a) {
  if (a.strides(2) != 1 && a.shape(2) != 1) {
    throw std::invalid_argument("[attention] the numbers of a key are " +
                                std::to_string(a.strides(2)) +
                                " apart; pass keys and values with their numbers side by side.");
  }
  const auto size = static_cast<std::int64_t>(a.itemsize());
  return {a.data<std::uint8_t>(), *type_of(a.dtype()), a.strides(0) * size, a.strides(1) * size};
}

/// How the work is cut: each KV head, `positions` of the queries at a time, and where that leaves
/// too few pieces for the threads, `splits` ranges of keys.
struct Plan {
  std::int64_t positions;
  std::int64_t tiles;
  std::int64_t splits;
};

Plan plan_of(const Attention& a) {
  constexpr std::int64_t kRows = 40;         // of query heads: what a turned block of keys serves
  constexpr std::int64_t kFewestKeys = 512;  // in a split
  const std::int64_t group = a.heads / a.kv_heads;
  const std::int64_t positions = std::min(a.n, std::max<std::int64_t>(1, kRows / group));
  const std::int64_t tiles = (a.n + positions - 1) / positions;
  const std::int64_t keys = a.window > 0 ? std::min(a.m, a.window) : a.m;
  const std::int64_t wanted = 2 * thread_count() / (a.kv_heads * tiles);
  return {positions, tiles,
          std::clamp<std::int64_t>(keys / kFewestKeys, 1, std::max<std::int64_t>(1, wanted))};
}

/// Rows of partial results, `splits` of them `apart` floats from each other, to one row of output.
void join(const float* part, std::int64_t splits, std::int64_t apart, std::int64_t head_dim,
          float* out) {
  const std::int64_t width = attention_width(head_dim);
  float most = -std::numeric_limits<float>::infinity();
  for (std::int64_t s = 0; s < splits; ++s) {
    most = std::max(most, part[s * apart + width]);
  }
  float total = 0.0F;
  std::fill(out, out + head_dim, 0.0F);
  for (std::int64_t s = 0; s < splits; ++s) {
    const float* p = part + s * apart;
    const float share = p[width + 1] > 0.0F ? std::exp(p[width] - most) : 0.0F;
    total += share * p[width + 1];
    for (std::int64_t d = 0; d < head_dim; ++d) {
      out[d] += share * p[d];
    }
  }
  for (std::int64_t d = 0; d < head_dim; ++d) {
    out[d] /= total;
  }
}

void run_attention(const KernelSet& set, const Attention& a, float* y) {
  const std::int64_t group = a.heads / a.kv_heads;
  const Plan plan = plan_of(a);
  const std::int64_t width = attention_row(a.head_dim);
  const std::int64_t part = plan.positions * group * width;
  const std::int64_t work = attention_work(plan.positions * group, a.head_dim);
  const auto join_rows = [&](std::int64_t head, std::int64_t begin, std::int64_t end,
                             const float* parts) {
    for (std::int64_t r = 0; r < (end - begin) * group; ++r) {
      const std::int64_t at = (begin + r / group) * a.heads + head * group + r % group;
      join(parts + r * width, plan.splits, part, a.head_dim, y + at * a.head_dim);
    }
  };
  const AlignedFloats parts =
      aligned_floats(plan.splits > 1 ? a.kv_heads * plan.tiles * plan.splits * part : 0);
  parallel(a.kv_heads * plan.tiles * plan.splits, [&](std::int64_t task) {
    const std::int64_t split = task % plan.splits;
    const std::int64_t tile = plan.tiles - 1 - task / plan.splits % plan.tiles;  // longest first
    const std::int64_t head = task / plan.splits / plan.tiles;
    const std::int64_t begin = tile * plan.positions;
    const std::int64_t end = std::min(a.n, begin + plan.positions);
    const std::int64_t seen = a.m - a.n + end;
    const std::int64_t oldest =
        a.window > 0 ? std::max<std::int64_t>(0, a.m - a.n + begin + 1 - a.window) : 0;
    const std::int64_t keys = seen - oldest;
    auto* memory =
        static_cast<float*>(scratch((work + part) * static_cast<std::int64_t>(sizeof(float))));
    const bool alone = plan.splits == 1;
    const std::int64_t place = (head * plan.tiles + tile) * plan.splits + split;
    float* out = alone ? memory + work : parts.get() + place * part;
    set.attend(a, {.head = head,
                   .begin = begin,
                   .end = end,
                   .from = oldest + keys * split / plan.splits,
                   .to = oldest + keys * (split + 1) / plan.splits,
                   .out = out,
                   .work = memory});
    if (alone) {
      join_rows(head, begin, end, out);
    }
  });
  if (plan.splits > 1) {
    parallel(a.kv_heads * plan.tiles, [&](std::int64_t task) {
      const std::int64_t begin = task % plan.tiles * plan.positions;
      join_rows(task / plan.tiles, begin, std::min(a.n, begin + plan.positions),
                parts.get() + task * plan.splits * part);
    });
  }
}

mx::array mlx_append(mx::array buffer, const mx::array& rows, int at) {
  const mx::array update = mx::astype(mx::transpose(rows, {1, 0, 2}), buffer.dtype());
  const mx::Shape start{0, at, 0};
  const mx::Shape stop{buffer.shape(0), at + rows.shape(0), buffer.shape(2)};
  return mx::slice_update(std::move(buffer), update, start, stop);
}

/// The types a cache may have.
bool is_float(const mx::array& a) {
  const auto type = type_of(a.dtype());
  return type && *type != Type::U8;
}

}  // namespace

mx::array attention(const mx::array& q, const mx::array& keys, const mx::array& values,
                    const AttentionOptions& options) {
  if (!own_kernels(q) || !is_float(keys) || keys.dtype() != values.dtype()) {
    return mlx_attention(q, keys, values, options);
  }
  auto prepare = [&set = kernel_set(active_isa()), options](const std::vector<mx::array>& in,
                                                            mx::array& out) -> Work {
    allocate(out);
    const Rows queries = rows_of(in[0]);
    return [&set, queries, y = out.data<float>(),
            a = Attention{.q = nullptr,
                          .q_row = 0,
                          .q_head = 0,
                          .keys = view_of(in[1]),
                          .values = view_of(in[2]),
                          .n = queries.n,
                          .m = in[1].shape(1),
                          .heads = queries.heads,
                          .kv_heads = in[1].shape(0),
                          .head_dim = queries.width,
                          .scale = options.scale,
                          .softcap = options.softcap,
                          .window = options.window}]() mutable {
      std::vector<float> spare;
      const Rows rows = straight(queries, spare);
      a.q = rows.data;
      a.q_row = rows.row;
      a.q_head = rows.head;
      run_attention(set, a, y);
    };
  };
  return cpu_op("attention", {q.shape(0), q.shape(1) * q.shape(2)}, mx::float32, {q, keys, values},
                std::move(prepare));
}

mx::array kv_append(mx::array buffer, const mx::array& rows, int at) {
  if (!own_kernels(rows) || !is_float(buffer)) {
    return mlx_append(std::move(buffer), rows, at);
  }
  auto prepare = [&set = kernel_set(active_isa()), at](const std::vector<mx::array>& in,
                                                       mx::array& out) -> Work {
    const mx::array& old = in[0];
    if (!old.flags().row_contiguous) {
      throw std::logic_error("[kv_append] the buffer has gaps; pass it as it was allocated.");
    }
    take_over(old, out);
    const auto size = static_cast<std::int64_t>(out.itemsize());
    const auto* before = old.data<std::uint8_t>();
    return [&set, x = rows_of(in[1]), before, y = out.data<std::uint8_t>(), bytes = out.nbytes(),
            type = *type_of(out.dtype()), row = out.shape(2) * size,
            head = out.shape(1) * out.shape(2) * size, at] {
      if (before != y) {
        std::memcpy(y, before, bytes);
      }
      std::vector<float> spare;
      const Rows r = straight(x, spare);
      for (std::int64_t i = 0; i < r.n; ++i) {
        for (std::int64_t h = 0; h < r.heads; ++h) {
          set.cast_row(r.data + i * r.row + h * r.head, r.width, type,
                       y + h * head + (at + i) * row);
        }
      }
    };
  };
  mx::Shape shape = buffer.shape();
  const mx::Dtype dtype = buffer.dtype();
  std::vector<mx::array> inputs;
  inputs.push_back(std::move(buffer));  // moved: only then can it be written in place
  inputs.push_back(rows);
  return cpu_op("kv_append", std::move(shape), dtype, std::move(inputs), std::move(prepare));
}

}  // namespace convergio::kernels
