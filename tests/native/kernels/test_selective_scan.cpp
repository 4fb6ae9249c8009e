#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "common.h"
#include "kernels/mlx/view.h"
#include "kernels/ops/selective_scan.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"
#include "stateful.h"

namespace convergio::kernels::testing {

namespace {

struct Sizes {
  int heads;
  int groups;
  int head_dim;
  int state_dim;
};

/// Odd ones, and those of models.
const std::vector<Sizes> kSizes{{1, 1, 1, 1},    {4, 2, 16, 16},  {6, 3, 20, 24}, {3, 1, 7, 19},
                                {4, 1, 64, 128}, {2, 2, 65, 130}, {1, 1, 18, 256}};

std::string named(const Sizes& s) {
  return std::to_string(s.heads) + " heads of " + std::to_string(s.head_dim) + ", " +
         std::to_string(s.groups) + " groups of " + std::to_string(s.state_dim);
}

struct Case {
  SelectiveScan layer;
  SelectiveScanRows rows;
  mx::array state;
};

Case made(int n, const Sizes& s) {
  // x, b and c lie side by side, as one convolution makes them
  const int inner = s.heads * s.head_dim;
  const int shared = s.groups * s.state_dim;
  const std::vector<mx::array> parts =
      mx::split(random({n, inner + 2 * shared}, 1), mx::Shape{inner, inner + shared}, 1);
  return {.layer = {.heads = s.heads,
                    .groups = s.groups,
                    .a_log = random({s.heads}, 2),
                    .dt_bias = random({s.heads}, 3),
                    .d = random({s.heads}, 4),
                    .least_dt = 0.01F,
                    .most_dt = s.groups == 1 ? 2.0F : INFINITY},
          .rows = {.x = parts[0],
                   .b = parts[1],
                   .c = parts[2],
                   .dt = mx::multiply(random({n, s.heads}, 5), mx::array(4.0F))},
          .state = random({s.heads, s.head_dim, s.state_dim}, 6)};
}

StatefulOp op_of(const Case& one) {
  return [&one](int from, int to, std::vector<StatefulRows> sequences) {
    const auto rows = [&](const mx::array& a) {
      mx::array part = rows_between(a, from, to);
      mx::eval(part);
      return part;
    };
    const SelectiveScanRows& all = one.rows;
    return selective_scan(
        {.x = rows(all.x), .b = rows(all.b), .c = rows(all.c), .dt = rows(all.dt)},
        std::move(sequences), one.layer);
  };
}

double softplus(double x) { return x > 30.0 ? x : std::log1p(std::exp(x)); }

/// Number by number, in double precision.
WithStates oracle(const Case& one) {
  const SelectiveScan& layer = one.layer;
  const int n = one.rows.x.shape(0);
  const int head_dim = one.state.shape(1);
  const int state_dim = one.state.shape(2);
  const std::vector<float> x = values(one.rows.x);
  const std::vector<float> b = values(one.rows.b);
  const std::vector<float> c = values(one.rows.c);
  const std::vector<float> dt = values(one.rows.dt);
  const std::vector<float> a_log = values(layer.a_log);
  const std::vector<float> dt_bias = values(layer.dt_bias);
  const std::vector<float> d = values(layer.d);
  const std::vector<float> before = values(one.state);
  std::vector<double> state(before.begin(), before.end());
  std::vector<float> y;
  for (int i = 0; i < n; ++i) {
    for (int h = 0; h < layer.heads; ++h) {
      const auto head = static_cast<std::size_t>(h);
      const int group = (i * layer.groups + h / (layer.heads / layer.groups)) * state_dim;
      const double raw = dt[static_cast<std::size_t>(i * layer.heads + h)] + dt_bias[head];
      double step = std::max(softplus(raw), static_cast<double>(layer.least_dt));
      step = std::min(step, static_cast<double>(layer.most_dt));
      const double decay = std::exp(-std::exp(static_cast<double>(a_log[head])) * step);
      for (int p = 0; p < head_dim; ++p) {
        const double input = x[static_cast<std::size_t>((i * layer.heads + h) * head_dim + p)];
        double* s = state.data() + (h * head_dim + p) * state_dim;
        double result = input * d[head];
        for (int j = 0; j < state_dim; ++j) {
          s[j] = s[j] * decay + input * step * b[static_cast<std::size_t>(group + j)];
          result += s[j] * c[static_cast<std::size_t>(group + j)];
        }
        y.push_back(static_cast<float>(result));
      }
    }
  }
  const std::vector<float> after(state.begin(), state.end());
  return {mx::array(y.begin(), {n, layer.heads * head_dim}),
          {mx::array(after.begin(), one.state.shape())}};
}

}  // namespace

TEST(selective_scan_equals_its_oracle) {
  for (const Sizes& sizes : kSizes) {
    for (const int n : {1, 2, 21}) {
      const Case one = made(n, sizes);
      check_oracle(op_of(one), n, one.state, oracle(one), 5e-6F, named(sizes));
    }
  }
}

TEST(selective_scan_gives_the_same_bits_however_rows_are_passed) {
  for (const Sizes& sizes : kSizes) {
    for (const int n : {2, 11}) {
      const Case one = made(n, sizes);
      check_same_bits(op_of(one), n, one.state, named(sizes));
    }
  }
}

/// As many as go through the registers in turns, widths of whole vectors and of whole tiles.
TEST(selective_scan_by_tiles_gives_the_same_bits_however_rows_are_passed) {
  for (const Sizes& sizes : {Sizes{1, 1, 9, 112}, {2, 2, 6, 80}, {2, 1, 3, 48}}) {
    const Case one = made(75, sizes);
    check_oracle(op_of(one), 75, one.state, oracle(one), 5e-6F, named(sizes));
    check_same_bits(op_of(one), 75, one.state, named(sizes));
  }
}

/// More rows than are prepared at a time.
TEST(selective_scan_of_many_rows_gives_the_same_bits_however_they_are_passed) {
  for (const Sizes& sizes : {Sizes{2, 1, 5, 8}}) {
    const Case one = made(600, sizes);
    check_oracle(op_of(one), 600, one.state, oracle(one), 5e-6F, named(sizes));
    check_same_bits(op_of(one), 600, one.state, named(sizes));
  }
}

TEST(selective_scan_by_matrices_equals_its_oracle) {
  for (const int n : {1, 3, 4, 63, 64, 65, 257}) {
    const Case one = made(n, {4, 2, 20, 24});
    const WithStates wanted = oracle(one);
    const With off(Isa::Off);
    const WithStates seen = op_of(one)(0, n, {{n, one.state}});
    const std::string what = std::to_string(n) + " rows";
    check_close(seen.y, wanted.y, 5e-6F, what);
    check_close(seen.states[0], wanted.states[0], 5e-6F, what + ", the state");
  }
}

TEST(selective_scan_takes_the_extremes) {
  Case one = made(3, {2, 1, 8, 16});
  one.layer.most_dt = 100.0F;
  one.rows.dt = mx::array({-1e4F, -50.0F, 0.0F, 50.0F, 1e4F, 1e30F}, {3, 2});
  check_oracle(op_of(one), 3, one.state, oracle(one), 5e-6F, "extremes");
}

TEST(selective_scan_in_half_precision_keeps_its_state_in_float32) {
  for (const mx::Dtype dtype : {mx::float16, mx::bfloat16}) {
    Case one = made(6, {4, 2, 16, 24});
    for (mx::array* a : {&one.rows.x, &one.rows.b, &one.rows.c, &one.rows.dt}) {
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

}  // namespace convergio::kernels::testing
