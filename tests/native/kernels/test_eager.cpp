#include <functional>
#include <limits>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "common.h"
#include "kernels/mlx/primitive.h"
#include "kernels/mlx/view.h"
#include "kernels/ops/activation.h"
#include "kernels/ops/attention.h"
#include "kernels/ops/kv_append.h"
#include "kernels/ops/linear.h"
#include "kernels/ops/norm.h"
#include "kernels/ops/residual.h"
#include "kernels/ops/rope.h"
#include "mlx/memory.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace convergio::kernels::testing {

namespace {

using Arrays = std::vector<mx::array>;

/// Memory has a limit until it goes out of scope.
class Limited {
 public:
  explicit Limited(std::size_t bytes) { limit_memory(bytes); }
  ~Limited() { limit_memory(std::numeric_limits<std::size_t>::max()); }
  Limited(const Limited&) = delete;
  Limited& operator=(const Limited&) = delete;
};

mx::array room(int heads, int rows, int width) {
  mx::array buffer = mx::zeros({1, heads, rows, width}, mx::float16);
  mx::eval(buffer);
  return buffer;
}

/// Attention of `n` positions after `seen` others, from the matrices on, and all that it makes.
Arrays attend(const mx::array& x, const std::vector<Linear>& qkv, int seen) {
  constexpr int kHeads = 4;
  constexpr int kKvHeads = 2;
  constexpr int kWidth = 16;
  const int n = x.shape(0);
  const mx::array periods = mx::array({1.0F, 2.0F, 4.0F, 8.0F, 16.0F, 32.0F, 64.0F, 128.0F});
  const Arrays parts = linears(x, qkv);
  const mx::array q = rope(heads_of(parts[0], kHeads), periods, 1.0F, seen);
  const mx::array k = rope(heads_of(parts[1], kKvHeads), periods, 1.0F, seen);
  mx::array keys = room(kKvHeads, seen + n + 3, kWidth);
  mx::array values = room(kKvHeads, seen + n + 3, kWidth);
  keys = kv_append(std::move(keys), k, seen);
  values = kv_append(std::move(values), heads_of(parts[2], kKvHeads), seen);
  const mx::array y =
      attention(q, rows_between(keys, 0, seen + n), rows_between(values, 0, seen + n),
                {.scale = 0.25F, .softcap = 0.0F, .reach = {0}});
  return {q, k, keys, values, y};
}

Linear four_bits(int rows, int cols, std::uint64_t seed) {
  return {quantized(rows, cols, Format::Affine, 64, 4, mx::bfloat16, seed), std::nullopt};
}

/// `ops` at once: all there when called, and bit for bit what the graph gives.
void against_graph(const std::string& what, const std::function<Arrays()>& ops) {
  for (const Isa isa : available_isas()) {
    const With set(isa);
    Arrays wanted = ops();
    const Arrays seen = [&] {
      const Eager eager;
      return ops();
    }();
    mx::eval(wanted);
    CHECK_EQ(seen.size(), wanted.size());
    for (std::size_t i = 0; i < seen.size(); ++i) {
      const std::string which = std::string(isa_name(isa)) + ": " + what + ' ' + std::to_string(i);
      if (!seen[i].is_available()) {
        check::fail(__FILE__, __LINE__, which + " was not computed");
      }
      check_close(seen[i], wanted[i], 0.0F, which);
    }
  }
}

}  // namespace

TEST(eager_ops_give_what_the_graph_gives) {
  constexpr int kCols = 128;
  const std::vector<Linear> qkv{four_bits(64, kCols, 1), four_bits(32, kCols, 2),
                                four_bits(32, kCols, 3)};
  const mx::array norm = random({kCols}, 4);
  for (const int n : {1, 3, 40}) {
    const mx::array x = random({n, kCols}, 5);
    against_graph("attention of " + std::to_string(n), [&] { return attend(x, qkv, 7); });
    against_graph("a block of " + std::to_string(n), [&]() -> Arrays {
      const mx::array normed = rms_norm(x, norm, 1e-5F);
      const mx::array gated = gated_linear(normed, {qkv[0], qkv[0]}, Activation::Silu);
      return {normed, gated, linear_onto(x, normed, four_bits(kCols, kCols, 6)),
              residual(x, normed, 0.5F)};
    });
  }
}

TEST(views_are_those_of_mlx) {
  const mx::array x = random({5, 48}, 1);
  const mx::array buffer = random({1, 3, 10, 4}, 2);
  const auto parts = [&] {
    Arrays all = split_columns(x, {16, 32});
    for (const mx::array& part : Arrays(all)) {
      all.push_back(heads_of(part, 4));
    }
    all.push_back(rows_between(x, 4, 5));
    all.push_back(rows_between(buffer, 2, 7));
    all.push_back(rows_between(buffer, 0, 10));
    return all;
  };
  against_graph("view", parts);
  Arrays wanted = parts();
  mx::eval(wanted);
  const Eager eager;
  const Arrays seen = parts();
  for (std::size_t i = 0; i < seen.size(); ++i) {
    CHECK(seen[i].data_shared_ptr() == (i < 7 ? x : buffer).data_shared_ptr());
    CHECK_EQ(seen[i].flags().row_contiguous, wanted[i].flags().row_contiguous);
  }
}

TEST(an_op_on_what_is_not_there_joins_the_graph) {
  const mx::array x = random({2, 8}, 1);
  const mx::array weight = random({8}, 2);
  const mx::array doubled = mx::add(x, x);
  const Eager eager;
  const mx::array y = rms_norm(doubled, weight, 1e-5F);
  CHECK(!y.is_available());
  check_close(y, by_mlx([&] { return rms_norm(mx::add(x, x), weight, 1e-5F); }), 2e-6F, "rms_norm");
}

TEST(nothing_is_eager_outside_of_its_scope) {
  const mx::array x = random({2, 8}, 1);
  const mx::array weight = random({8}, 2);
  {
    const Eager outer;
    {
      const Eager inner;
    }
    CHECK(rms_norm(x, weight, 1e-5F).is_available());
  }
  CHECK(!rms_norm(x, weight, 1e-5F).is_available());
}

TEST(an_eager_append_writes_in_place_where_nobody_else_reads) {
  const mx::array rows = random({1, 2, 1, 16}, 1);
  const Eager eager;
  mx::array buffer = room(2, 4, 16);
  const void* before = buffer.data<void>();
  buffer = kv_append(std::move(buffer), rows, 0);
  CHECK(buffer.data<void>() == before);
  const mx::array seen = rows_between(buffer, 0, 1);
  const std::vector<float> kept = values(seen);
  buffer = kv_append(std::move(buffer), random({1, 2, 1, 16}, 2), 0);  // over what is still read
  CHECK(buffer.data<void>() != before);
  CHECK(values(seen) == kept);
}

TEST(memory_that_runs_out_is_told_where_the_op_is_called) {
  const mx::array x = random({4, 64}, 1);
  const mx::array weight = random({64}, 2);
  const Eager eager;
  {
    const Limited limited(mx::get_active_memory() + 1);
    bool threw = false;
    try {
      rms_norm(x, weight, 1e-5F);
    } catch (const std::bad_alloc&) {
      threw = true;
    }
    CHECK(threw);
  }
  CHECK(rms_norm(x, weight, 1e-5F).is_available());
}

}  // namespace convergio::kernels::testing
