// A row's numbers do not depend on how many rows a pass has, to the bit, on any instruction set:
// what prefix reuse, batches and speculation rest on.
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "common.h"
#include "kernels/cpu/precision.h"
#include "kernels/ops/attention.h"
#include "kernels/ops/linear.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace convergio::kernels::testing {

namespace {

mx::array rows_of(const mx::array& a, int begin, int end) {
  return mx::slice(a, {begin, 0}, {end, a.shape(1)});
}

/// Fails unless `whole`, of all rows, has the bits of the passes that `pass(begin, end)` makes of
/// parts of them.
template <class Pass>
void check_same_bits(const mx::array& whole, const std::vector<int>& sizes, const Pass& pass,
                     const std::string& what) {
  for (const int size : sizes) {
    std::vector<mx::array> parts;
    for (int begin = 0; begin < whole.shape(0); begin += size) {
      parts.push_back(pass(begin, std::min(whole.shape(0), begin + size)));
    }
    check_close(mx::concatenate(parts, 0), whole, 0.0F,
                what + ", in passes of " + std::to_string(size) + " rows");
  }
}

/// The same of an op on the first n rows of x and matrices like `m`, for every number of rows that
/// the kernels of few rows may take, on every instruction set.
template <class Op>
void op_has_same_bits(const std::string& name, const Matrix& m, int n, const Op& op) {
  const mx::array x = random({n, m.cols}, 7);
  const auto pass = [&](int begin, int end) { return op(rows_of(x, begin, end)); };
  for (const Isa isa : available_isas()) {
    const With set(isa);
    for (const bool all_float : {true, false}) {
      if (!all_float && isa != Isa::Avx512) {
        continue;  // activations are floats anyway
      }
      force_exact(all_float);
      check_same_bits(pass(0, n), {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 31}, pass,
                      std::string(isa_name(isa)) + (all_float ? ", exact" : "") + ": " + name +
                          ", " + mode_name(m.format) + " " + std::to_string(m.bits) +
                          " bits, groups of " + std::to_string(m.group_size) + ", " +
                          std::to_string(m.rows) + " x " + std::to_string(m.cols));
    }
    force_exact(false);
  }
}

void linear_has_same_bits(const Matrix& m, int n) {
  op_has_same_bits("linear", m, n,
                   [&](const mx::array& x) { return linear(x, {m, std::nullopt}); });
}

struct Heads {
  int queries;
  int kv;
  int dim;
};

/// n positions at the end of m keys in passes of some sizes, each over the keys that it sees alone.
void attention_has_same_bits(const Heads& heads, int n, int m, const AttentionOptions& options,
                             mx::Dtype dtype) {
  const mx::array q = heads_first(random({n, heads.queries, heads.dim}, 1));
  const mx::array keys = random({1, heads.kv, m, heads.dim}, 2, dtype);
  const mx::array values = random({1, heads.kv, m, heads.dim}, 3, dtype);
  const auto pass = [&](int begin, int end) {
    const int last = m - n + end;
    const auto oldest = static_cast<int>(formats::oldest_seen(options.reach, m - n + begin));
    const auto seen = [&](const mx::array& all) {
      return mx::slice(all, {0, 0, oldest, 0}, {1, heads.kv, last, heads.dim});
    };
    return attention(mx::slice(q, {0, 0, begin, 0}, {1, heads.queries, end, heads.dim}), seen(keys),
                     seen(values), options, oldest);
  };
  for (const Isa isa : available_isas()) {
    const With set(isa);
    check_same_bits(pass(0, n), {1, 2, 3, 7, 16, 41}, pass,
                    std::string(isa_name(isa)) + ": attention of " + std::to_string(n) + " over " +
                        std::to_string(m) + " keys, " + std::to_string(heads.queries) + "/" +
                        std::to_string(heads.kv) + " heads of " + std::to_string(heads.dim) +
                        ", window " + std::to_string(options.reach.window));
  }
}

}  // namespace

TEST(linear_of_packed_rows_does_not_depend_on_their_number) {
  std::uint64_t seed = 1;
  for (const Kind& kind : kinds()) {
    const int unit = kind.group < 32 ? 32 : kind.group;
    // within a panel and past its edge; 2 · unit, 384, 512, 768: several rows of W in one
    for (const int cols :
         {unit, 2 * unit, 3 * unit, 384, 512, 768, 1024 + unit, 2048 + unit, 2304}) {
      for (const int rows : {1, 17, 37}) {
        linear_has_same_bits(
            quantized(rows, cols, kind.format, kind.group, kind.bits, mx::bfloat16, ++seed), 33);
      }
    }
  }
}

TEST(linear_of_many_outputs_does_not_depend_on_the_number_of_rows) {
  for (const mx::Dtype scales : {mx::float32, mx::float16, mx::bfloat16}) {
    for (const int outputs : {128, 133, 300}) {  // several pieces, the last of which is narrow
      linear_has_same_bits(quantized(outputs, 1088, Format::Affine, 64, 4, scales, 3), 33);
    }
  }
}

TEST(linear_of_more_rows_than_are_taken_at_a_time_does_not_depend_on_their_number) {
  for (const int group : {32, 64}) {
    const Matrix m = quantized(37, 576, Format::Affine, group, 4, mx::bfloat16, 5);
    for (const int n :
         {129, 301, 1025, 1026, 1030, 1050}) {  // with 1, 2 and 6 in the last time too
      const mx::array x = random({n, m.cols}, 7);
      const auto pass = [&](int begin, int end) {
        return linear(rows_of(x, begin, end), {m, std::nullopt});
      };
      check_same_bits(pass(0, n), {5, 33, 128, 150}, pass,
                      std::to_string(n) + " rows, groups of " + std::to_string(group));
    }
  }
}

TEST(gated_linear_does_not_depend_on_the_number_of_rows) {
  for (const Kind& kind : kinds()) {
    const auto half = [&](std::uint64_t seed) {
      return quantized(45, 640, kind.format, kind.group, kind.bits, mx::float16, seed);
    };
    const Matrix gate = half(4);
    const Matrix up = half(5);
    op_has_same_bits("gated_linear", gate, 33, [&](const mx::array& x) {
      return gated_linear(x, {{gate, std::nullopt}, {up, std::nullopt}}, Activation::Silu);
    });
  }
}

TEST(linear_of_many_groups_does_not_depend_on_the_number_of_rows) {
  linear_has_same_bits(quantized(18, 20480, Format::Affine, 32, 4, mx::float16, 3), 33);
  linear_has_same_bits(quantized(18, 20480, Format::Nvfp4, 16, 4, mx::float16, 3), 33);
}

TEST(linear_of_dense_rows_does_not_depend_on_their_number) {
  for (const mx::Dtype dtype : {mx::float32, mx::float16, mx::bfloat16}) {
    for (const int cols : {1, 7, 16, 100, 1025, 2048}) {
      for (const int rows : {1, 37}) {
        linear_has_same_bits(dense(rows, cols, dtype, 5), 33);
      }
    }
  }
}

TEST(attention_does_not_depend_on_the_number_of_rows) {
  for (const Heads& heads : {Heads{1, 1, 64}, {8, 2, 64}, {9, 3, 128}, {6, 2, 40}, {4, 2, 80}}) {
    for (const int m : {50, 64, 130, 700}) {
      attention_has_same_bits(heads, 50, m, {.scale = 0.2F}, mx::float16);
    }
  }
  for (const mx::Dtype dtype : {mx::float32, mx::bfloat16}) {
    attention_has_same_bits({4, 2, 32}, 20, 100, {.scale = 0.3F, .softcap = 5.0F}, dtype);
  }
}

TEST(attention_does_not_depend_on_how_its_keys_are_shared_out) {
  attention_has_same_bits({2, 1, 64}, 30, 4099, {.scale = 0.2F}, mx::float16);
  attention_has_same_bits({4, 2, 32}, 30, 1500, {.scale = 0.2F, .reach = {1100}}, mx::float32);
}

TEST(attention_does_not_depend_on_which_older_keys_are_there) {
  for (const int window : {1, 5, 63, 64, 65, 100, 600}) {
    attention_has_same_bits({4, 2, 64}, 90, 700, {.scale = 0.2F, .reach = {window}}, mx::float16);
    attention_has_same_bits({4, 2, 40}, 90, 90, {.scale = 0.2F, .reach = {window}}, mx::float32);
    attention_has_same_bits({4, 2, 64}, 90, 700, {.scale = 0.2F, .reach = {window, true}},
                            mx::float16);
  }
}

}  // namespace convergio::kernels::testing
