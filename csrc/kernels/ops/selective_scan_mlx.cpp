#include "kernels/ops/selective_scan_mlx.h"

#include <utility>

#include "kernels/mlx/fast.h"
#include "kernels/ops/recurrence_mlx.h"
#include "mlx/ops.h"

namespace convergio::kernels {

namespace {

using Arrays = std::vector<mx::array>;

/// What the recurrence takes of n rows, in float32: x · dt (n, heads, head_dim), b and c
/// (n, groups, state_dim), the logarithm of decay (n, heads, 1).
struct Terms {
  mx::array x;
  mx::array b;
  mx::array c;
  mx::array log_decay;
};

/// Of dt, dt_bias, and the least and the most.
Arrays dt_of(const Arrays& in) {
  const mx::array step = mx::logaddexp(mx::add(in[0], in[1]), mx::zeros_like(in[0]));
  return {mx::minimum(mx::maximum(step, in[2]), in[3])};
}

/// Of dt and a_log.
Arrays log_decay_of(const Arrays& in) {
  return {mx::negative(mx::multiply(mx::exp(in[1]), in[0]))};
}

/// x of the rows, in float32.
Terms terms_of(const mx::array& x, const SelectiveScanRows& rows, const SelectiveScan& layer) {
  const mx::Shape by_head{1, layer.heads, 1};
  const mx::array dt =
      fused(dt_of, {heads_of_rows(rows.dt, layer.heads), mx::reshape(layer.dt_bias, by_head),
                    mx::array(layer.least_dt), mx::array(layer.most_dt)});
  return {.x = mx::multiply(x, dt),
          .b = heads_of_rows(rows.b, layer.groups),
          .c = heads_of_rows(rows.c, layer.groups),
          .log_decay = fused(log_decay_of, {dt, mx::reshape(layer.a_log, by_head)})};
}

/// What groups of heads share, for each head; the heads are axis `axis`.
mx::array for_heads(const mx::array& of_groups, int heads, int axis) {
  const int repeats = heads / of_groups.shape(axis);
  return repeats == 1 ? of_groups : mx::repeat(of_groups, repeats, axis);
}

/// Row after row.
Updated stepped(const Terms& terms, mx::array state) {
  const int heads = terms.x.shape(1);
  Arrays results;
  for (int i = 0; i < terms.x.shape(0); ++i) {
    const auto as_row = [i](const mx::array& x) {  // (heads, 1, d)
      return mx::transpose(rows_of(x, i, i + 1), {1, 0, 2});
    };
    const mx::array b = for_heads(as_row(terms.b), heads, 0);
    const mx::array c = for_heads(as_row(terms.c), heads, 0);
    state = decayed_sum(state, mx::exp(as_row(terms.log_decay)),
                        mx::swapaxes(as_row(terms.x), 1, 2), b);
    results.push_back(mx::matmul(state, mx::swapaxes(c, 1, 2)));
  }
  return {rows_of_columns(results), state};
}

/// Chunks of rows at a time (state space duality: Dao and Gu 2024).
Updated in_chunks(const Terms& terms, mx::array state) {
  constexpr int kRows = 64;
  const int n = terms.x.shape(0);
  const int heads = terms.x.shape(1);
  const int rows = chunk_rows(n, kRows);
  const mx::array x = chunks_of(terms.x, rows);
  const mx::array b = chunks_of(terms.b, rows);
  const mx::array c = chunks_of(terms.c, rows);
  const Decays decays = decays_of(chunks_of(terms.log_decay, rows));

  const mx::array products = for_heads(mx::matmul(c, mx::swapaxes(b, -1, -2)), heads, 1);
  const mx::array within = mx::matmul(mx::multiply(products, mx::squeeze(decays.between, -1)), x);
  const mx::array added =
      mx::matmul(mx::swapaxes(mx::multiply(x, decays.to_end), -1, -2), for_heads(b, heads, 1));
  const mx::array queries = mx::multiply(for_heads(c, heads, 1), decays.from_start);

  Arrays results;
  for (int i = 0; i < x.shape(0); ++i) {
    const auto at = [i](const mx::array& of_chunks) { return chunk_at(of_chunks, i); };
    results.push_back(mx::add(at(within), mx::matmul(at(queries), mx::swapaxes(state, -1, -2))));
    state = mx::add(mx::multiply(state, at(decays.whole)), at(added));
  }
  return {rows_of_chunks(results, n), state};
}

}  // namespace

WithStates mlx_selective_scan(const SelectiveScanRows& rows,
                              const std::vector<StatefulRows>& sequences,
                              const SelectiveScan& layer) {
  constexpr int kFewRows = 4;  // up to which a step each is fewer ops
  const mx::array x = heads_of_rows(rows.x, layer.heads);
  const Terms all = terms_of(x, rows, layer);
  WithStates result = one_by_one(sequences, [&](int from, int to, const mx::array& state) {
    const auto part = [&](const mx::array& a) { return rows_of(a, from, to); };
    const Terms terms{
        .x = part(all.x), .b = part(all.b), .c = part(all.c), .log_decay = part(all.log_decay)};
    return to - from < kFewRows ? stepped(terms, state) : in_chunks(terms, state);
  });
  const mx::array skipped = mx::multiply(x, mx::reshape(layer.d, {1, layer.heads, 1}));
  result.y = mx::astype(mx::flatten(mx::add(result.y, skipped), 1, 2), rows.x.dtype());
  return result;
}

}  // namespace convergio::kernels
