#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "common.h"
#include "kernels/mlx/view.h"
#include "kernels/ops/gated_delta.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"
#include "stateful.h"

namespace convergio::kernels::testing {

namespace {

struct Sizes {
  int k_heads;
  int v_heads;
  int d_k;
  int d_v;
  bool by_dimension = false;  ///< a decay for each key dimension
};

/// Odd ones, and those of models.
const std::vector<Sizes> kSizes{{1, 1, 1, 1},         {2, 2, 16, 16},         {2, 6, 24, 40},
                                {1, 3, 7, 19},        {2, 4, 128, 128},       {1, 2, 33, 5, true},
                                {2, 2, 64, 32, true}, {1, 2, 128, 130, true}, {1, 1, 192, 18}};

std::string named(const Sizes& s) {
  return std::to_string(s.k_heads) + " and " + std::to_string(s.v_heads) + " heads of " +
         std::to_string(s.d_k) + " and " + std::to_string(s.d_v) +
         (s.by_dimension ? ", decay by dimension" : "");
}

struct Case {
  GatedDelta layer;
  GatedDeltaRows rows;
  mx::array state;
};

Case made(int n, const Sizes& s) {
  const int width = s.v_heads * (s.by_dimension ? s.d_k : 1);
  // q, k and v lie side by side, as one convolution makes them
  const int keys = s.k_heads * s.d_k;
  const mx::array qkv = random({n, 2 * keys + s.v_heads * s.d_v}, 1);
  const std::vector<mx::array> parts = mx::split(qkv, mx::Shape{keys, 2 * keys}, 1);
  return {.layer = {.k_heads = s.k_heads,
                    .v_heads = s.v_heads,
                    .a_log = random({s.v_heads}, 2),
                    .dt_bias = random({width}, 3),
                    .beta_scale = s.k_heads == 1 ? 2.0F : 1.0F},
          .rows = {.q = parts[0],
                   .k = parts[1],
                   .v = parts[2],
                   .a = mx::multiply(random({n, width}, 4), mx::array(3.0F)),
                   .b = random({n, s.v_heads}, 5)},
          .state = random({s.v_heads, s.d_v, s.d_k}, 6)};
}

StatefulOp op_of(const Case& one) {
  return [&one](int from, int to, std::vector<StatefulRows> sequences) {
    const auto rows = [&](const mx::array& a) {
      mx::array part = rows_between(a, from, to);
      mx::eval(part);
      return part;
    };
    const GatedDeltaRows& all = one.rows;
    return gated_delta(
        {.q = rows(all.q), .k = rows(all.k), .v = rows(all.v), .a = rows(all.a), .b = rows(all.b)},
        std::move(sequences), one.layer);
  };
}

double softplus(double x) { return x > 30.0 ? x : std::log1p(std::exp(x)); }

std::vector<double> doubles(const mx::array& a) {
  const std::vector<float> floats = values(a);
  return {floats.begin(), floats.end()};
}

/// `d` numbers from x, times `scale` over their length.
std::vector<double> of_length(const double* x, int d, double scale, double eps) {
  double squares = 0.0;
  for (int i = 0; i < d; ++i) {
    squares += x[i] * x[i];
  }
  std::vector<double> y;
  for (int i = 0; i < d; ++i) {
    y.push_back(x[i] * scale / std::sqrt(squares + eps));
  }
  return y;
}

/// Number by number, in double precision.
WithStates oracle(const Case& one) {
  const GatedDelta& layer = one.layer;
  const int n = one.rows.q.shape(0);
  const int d_v = one.state.shape(1);
  const int d_k = one.state.shape(2);
  const int decays = one.rows.a.shape(1) / layer.v_heads;
  const std::vector<double> q = doubles(one.rows.q);
  const std::vector<double> k = doubles(one.rows.k);
  const std::vector<double> v = doubles(one.rows.v);
  const std::vector<double> a = doubles(one.rows.a);
  const std::vector<double> b = doubles(one.rows.b);
  const std::vector<double> a_log = doubles(layer.a_log);
  const std::vector<double> dt_bias = doubles(layer.dt_bias);
  std::vector<double> state = doubles(one.state);
  std::vector<float> y;
  for (int i = 0; i < n; ++i) {
    for (int h = 0; h < layer.v_heads; ++h) {
      const int key_head = h / (layer.v_heads / layer.k_heads);
      const int at = (i * layer.k_heads + key_head) * d_k;
      const std::vector<double> qh = of_length(q.data() + at, d_k, 1.0 / std::sqrt(d_k), layer.eps);
      const std::vector<double> kh = of_length(k.data() + at, d_k, 1.0, layer.eps);
      const double beta =
          layer.beta_scale / (1.0 + std::exp(-b[static_cast<std::size_t>(i * layer.v_heads + h)]));
      for (int r = 0; r < d_v; ++r) {
        double* s = state.data() + (h * d_v + r) * d_k;
        double known = 0.0;
        for (int j = 0; j < d_k; ++j) {
          const int of_head = h * decays + (decays == 1 ? 0 : j);
          const double x = a[static_cast<std::size_t>(i * layer.v_heads * decays + of_head)] +
                           dt_bias[static_cast<std::size_t>(of_head)];
          s[j] *= std::exp(-std::exp(a_log[static_cast<std::size_t>(h)]) * softplus(x));
          known += s[j] * kh[static_cast<std::size_t>(j)];
        }
        const double delta =
            (v[static_cast<std::size_t>((i * layer.v_heads + h) * d_v + r)] - known) * beta;
        double result = 0.0;
        for (int j = 0; j < d_k; ++j) {
          s[j] += kh[static_cast<std::size_t>(j)] * delta;
          result += s[j] * qh[static_cast<std::size_t>(j)];
        }
        y.push_back(static_cast<float>(result));
      }
    }
  }
  const std::vector<float> after(state.begin(), state.end());
  return {mx::array(y.begin(), {n, layer.v_heads * d_v}),
          {mx::array(after.begin(), one.state.shape())}};
}

}  // namespace

TEST(gated_delta_equals_its_oracle) {
  for (const Sizes& sizes : kSizes) {
    for (const int n : {1, 2, 21}) {
      const Case one = made(n, sizes);
      check_oracle(op_of(one), n, one.state, oracle(one), 5e-6F, named(sizes));
    }
  }
}

TEST(gated_delta_gives_the_same_bits_however_rows_are_passed) {
  for (const Sizes& sizes : kSizes) {
    for (const int n : {2, 11}) {
      const Case one = made(n, sizes);
      check_same_bits(op_of(one), n, one.state, named(sizes));
    }
  }
}

/// More rows than are prepared at a time.
TEST(gated_delta_of_many_rows_gives_the_same_bits_however_they_are_passed) {
  for (const Sizes& sizes : {Sizes{1, 2, 8, 5}, Sizes{1, 2, 8, 5, true}}) {
    const Case one = made(600, sizes);
    check_oracle(op_of(one), 600, one.state, oracle(one), 5e-6F, named(sizes));
    check_same_bits(op_of(one), 600, one.state, named(sizes));
  }
}

TEST(gated_delta_by_matrices_equals_its_oracle) {
  for (const int n : {1, 7, 8, 63, 64, 65, 257}) {
    for (const bool by_dimension : {false, true}) {
      const Case one = made(n, {2, 4, 24, 20, by_dimension});
      const WithStates wanted = oracle(one);
      const With off(Isa::Off);
      const WithStates seen = op_of(one)(0, n, {{n, one.state}});
      const std::string what = std::to_string(n) + " rows";
      check_close(seen.y, wanted.y, 5e-6F, what);
      check_close(seen.states[0], wanted.states[0], 5e-6F, what + ", the state");
    }
  }
}

/// Where what is known of a key is replaced by its new value, row after row.
TEST(gated_delta_of_the_same_key_again_and_again_equals_its_oracle) {
  for (const bool by_dimension : {false, true}) {
    Case one = made(150, {1, 2, 16, 12, by_dimension});
    one.layer.beta_scale = 1.0F;
    one.rows.k = mx::add(mx::zeros_like(one.rows.k), random({1, 16}, 7));
    one.rows.a = mx::full(one.rows.a.shape(), -9.0F);
    one.rows.b = mx::full(one.rows.b.shape(), 9.0F);
    check_oracle(op_of(one), 150, one.state, oracle(one), 2e-5F, "the same key");
  }
}

TEST(gated_delta_takes_the_extremes) {
  Case one = made(3, {1, 2, 16, 8});
  one.rows.a = mx::array({-1e4F, -50.0F, 0.0F, 50.0F, 1e4F, 1e30F}, {3, 2});
  one.rows.b = mx::array({-1e4F, -50.0F, 0.0F, 50.0F, 1e4F, 1e30F}, {3, 2});
  one.rows.q = mx::zeros_like(one.rows.q);
  check_oracle(op_of(one), 3, one.state, oracle(one), 5e-6F, "extremes");
}

TEST(gated_delta_in_half_precision_keeps_its_state_in_float32) {
  for (const Sizes& sizes : {Sizes{1, 2, 16, 24}, Sizes{1, 2, 16, 24, true}}) {
    for (const mx::Dtype dtype : {mx::float16, mx::bfloat16}) {
      Case one = made(6, sizes);
      for (mx::array* a : {&one.rows.q, &one.rows.k, &one.rows.v, &one.rows.a, &one.rows.b}) {
        *a = mx::astype(*a, dtype);
      }
      const WithStates seen = op_of(one)(0, 6, {{6, one.state}});
      const WithStates wanted = oracle(one);
      CHECK(seen.y.dtype() == dtype);
      CHECK(seen.states[0].dtype() == mx::float32);
      check_close(seen.y, wanted.y, 1e-2F, "y");
      check_close(seen.states[0], wanted.states[0], 5e-6F, "the state");
    }
  }
}

}  // namespace convergio::kernels::testing
