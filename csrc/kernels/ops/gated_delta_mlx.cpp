#include "kernels/ops/gated_delta_mlx.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "kernels/mlx/fast.h"
#include "kernels/mlx/policy.h"
#include "kernels/ops/recurrence_mlx.h"
#include "mlx/ops.h"

namespace convergio::kernels {

namespace {

using Arrays = std::vector<mx::array>;

/// What the recurrence takes of n rows, in float32: q and k (n, v_heads, d_k), v (n, v_heads, d_v),
/// the logarithm of decay (n, v_heads, 1) or (n, v_heads, d_k), and beta (n, v_heads, 1).
struct Terms {
  mx::array q;
  mx::array k;
  mx::array v;
  mx::array log_decay;
  mx::array beta;
};

/// Each head of x times `scale` over its length: (n, k_heads, d_k).
mx::array of_length(const mx::array& x, float scale, const GatedDelta& layer) {
  const mx::array heads = heads_of_rows(x, layer.k_heads);
  const auto dim = static_cast<float>(heads.shape(2));
  // the norm divides by the root of the mean, so that eps and the scale are those of a sum
  return mx::multiply(fast_rms_norm(heads, std::nullopt, layer.eps / dim),
                      mx::array(scale / std::sqrt(dim)));
}

/// Of a, dt_bias and a_log.
Arrays log_decay_of(const Arrays& in) {
  const mx::array step = mx::logaddexp(mx::add(in[0], in[1]), mx::zeros_like(in[0]));
  return {mx::negative(mx::multiply(mx::exp(in[2]), step))};
}

/// q and k still of k_heads.
Terms terms_of(const GatedDeltaRows& rows, const GatedDelta& layer) {
  const auto dim = static_cast<float>(rows.q.shape(1) / layer.k_heads);
  const mx::array a = heads_of_rows(rows.a, layer.v_heads);
  const mx::array beta = mx::sigmoid(heads_of_rows(rows.b, layer.v_heads));
  return {
      .q = of_length(rows.q, 1.0F / std::sqrt(dim), layer),
      .k = of_length(rows.k, 1.0F, layer),
      .v = heads_of_rows(rows.v, layer.v_heads),
      .log_decay =
          fused(log_decay_of, {a, mx::reshape(layer.dt_bias, {1, layer.v_heads, a.shape(2)}),
                               mx::reshape(layer.a_log, {1, layer.v_heads, 1})}),
      .beta = layer.beta_scale == 1.0F ? beta : mx::multiply(beta, mx::array(layer.beta_scale))};
}

/// Row after row.
Updated stepped(const Terms& terms, mx::array state) {
  Arrays results;
  for (int i = 0; i < terms.v.shape(0); ++i) {
    const auto as_row = [i](const mx::array& x) {  // (heads, 1, d)
      return mx::transpose(rows_of(x, i, i + 1), {1, 0, 2});
    };
    const auto as_column = [&](const mx::array& x) { return mx::swapaxes(as_row(x), 1, 2); };
    const mx::array k = as_row(terms.k);
    const mx::array decay = mx::exp(as_row(terms.log_decay));
    const mx::array known = mx::matmul(state, mx::swapaxes(mx::multiply(k, decay), 1, 2));
    const mx::array delta =
        mx::multiply(mx::subtract(as_column(terms.v), known), as_row(terms.beta));
    state = decayed_sum(state, decay, delta, k);
    results.push_back(mx::matmul(state, as_column(terms.q)));
  }
  return {rows_of_columns(results), state};
}

/// (I + t)⁻¹ of strictly lower triangular matrices (…, size, size), the size a power of two: from
/// blocks on the diagonal to blocks of twice their size. The powers of t, whose sum the inverse is
/// too, grow beyond what float32 can cancel where keys repeat.
mx::array inverse_of_unit_lower(const mx::array& t) {
  const int size = t.shape(-1);
  const int batch = static_cast<int>(t.size()) / (size * size);
  // of blocks of one number
  mx::array inverse = mx::ones({batch, size, 1, 1}, mx::float32);
  for (int block = 1; block < size; block *= 2) {
    const int count = size / block;
    const mx::array blocks = mx::reshape(
        mx::transpose(mx::reshape(t, {batch, count, block, count, block}), {0, 1, 3, 2, 4}),
        {batch, count * count, block, block});
    // those left of the diagonal, (1, 0), (3, 2) and so on
    const mx::array left =
        mx::slice(blocks, {0, count, 0, 0}, blocks.shape(), {1, 2 * count + 2, 1, 1});
    const mx::array even = mx::slice(inverse, {0, 0, 0, 0}, inverse.shape(), {1, 2, 1, 1});
    const mx::array odd = mx::slice(inverse, {0, 1, 0, 0}, inverse.shape(), {1, 2, 1, 1});
    const mx::array below = mx::negative(mx::matmul(odd, mx::matmul(left, even)));
    inverse = mx::concatenate(
        {mx::concatenate({even, mx::zeros_like(even)}, 3), mx::concatenate({below, odd}, 3)}, 2);
  }
  return mx::reshape(inverse, t.shape());
}

/// The matrices of x · (decay from row j to row i) · y of rows i and j: (chunks, heads, rows,
/// rows).
mx::array decayed_products(const mx::array& x, const mx::array& y, const Decays& decays) {
  if (decays.from_start.shape(3) == 1) {
    return mx::multiply(mx::matmul(x, mx::swapaxes(y, -1, -2)), mx::squeeze(decays.between, -1));
  }
  const mx::array products = mx::multiply(mx::expand_dims(x, 3), mx::expand_dims(y, 2));
  return mx::sum(mx::multiply(products, decays.between), -1);
}

/// Chunks of rows at a time (the WY form: Yang et al. 2024). What each row adds to the state,
/// delta, is the solution of a triangular system of its chunk, in which the state before the chunk
/// is a term: delta = values - keys · stateᵀ.
Updated in_chunks(const Terms& terms, mx::array state) {
  const int n = terms.v.shape(0);
  // with a decay for each dimension, what is between two rows is a vector
  const int rows = chunk_rows(n, terms.log_decay.shape(2) == 1 ? 64 : 16);
  const auto chunked = [&](const mx::array& x) { return chunks_of(x, rows); };
  const mx::array q = chunked(terms.q);
  const mx::array k = chunked(terms.k);
  const mx::array beta = chunked(terms.beta);
  const Decays decays = decays_of(chunked(terms.log_decay));

  const mx::array inverse =
      inverse_of_unit_lower(mx::multiply(beta, mx::tril(decayed_products(k, k, decays), -1)));
  const mx::array values = mx::matmul(inverse, mx::multiply(beta, chunked(terms.v)));
  const mx::array keys =
      mx::matmul(inverse, mx::multiply(beta, mx::multiply(k, decays.from_start)));
  const mx::array seen = decayed_products(q, k, decays);
  const mx::array queries = mx::multiply(q, decays.from_start);
  const mx::array kept = mx::multiply(k, decays.to_end);

  Arrays results;
  for (int i = 0; i < q.shape(0); ++i) {
    const auto at = [i](const mx::array& x) { return chunk_at(x, i); };
    const mx::array before = mx::swapaxes(state, -1, -2);
    const mx::array delta = mx::subtract(at(values), mx::matmul(at(keys), before));
    results.push_back(mx::add(mx::matmul(at(seen), delta), mx::matmul(at(queries), before)));
    state = mx::add(mx::multiply(state, at(decays.whole)),
                    mx::matmul(mx::swapaxes(delta, -1, -2), at(kept)));
  }
  return {rows_of_chunks(results, n), state};
}

/// By MLX's kernel for Metal.
Updated by_metal(const Terms& terms, const mx::array& state) {
  const auto batch = [](const mx::array& x) { return mx::expand_dims(x, 0); };
  const Arrays updated = fast_gated_delta(batch(terms.q), batch(terms.k), batch(terms.v),
                                          batch(mx::squeeze(mx::exp(terms.log_decay), 2)),
                                          batch(mx::squeeze(terms.beta, 2)), batch(state));
  return {mx::squeeze(updated[0], 0), mx::squeeze(updated[1], 0)};
}

/// `terms` with q and k for each value head.
Terms for_value_heads(Terms terms) {
  const int repeats = terms.v.shape(1) / terms.k.shape(1);
  if (repeats > 1) {
    terms.q = mx::repeat(terms.q, repeats, 1);
    terms.k = mx::repeat(terms.k, repeats, 1);
  }
  return terms;
}

Updated updated(const Terms& terms, const mx::array& state) {
  constexpr int kFewRows = 8;  // up to which a step each is fewer ops
  constexpr int kMetalLanes = 32;
  if (policy().backend == Backend::Metal && terms.log_decay.shape(2) == 1 &&
      terms.k.shape(2) % kMetalLanes == 0) {
    return by_metal(terms, state);
  }
  const Terms repeated = for_value_heads(terms);
  return terms.v.shape(0) < kFewRows ? stepped(repeated, state) : in_chunks(repeated, state);
}

}  // namespace

WithStates mlx_gated_delta(const GatedDeltaRows& rows, const std::vector<StatefulRows>& sequences,
                           const GatedDelta& layer) {
  const Terms all = terms_of(rows, layer);
  WithStates result = one_by_one(sequences, [&](int from, int to, const mx::array& state) {
    const auto part = [&](const mx::array& x) { return rows_of(x, from, to); };
    return updated({.q = part(all.q),
                    .k = part(all.k),
                    .v = part(all.v),
                    .log_decay = part(all.log_decay),
                    .beta = part(all.beta)},
                   state);
  });
  result.y = mx::astype(mx::flatten(result.y, 1, 2), rows.q.dtype());
  return result;
}

}  // namespace convergio::kernels
