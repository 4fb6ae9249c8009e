#include <optional>
#include <string>
#include <utility>

#include "common.h"
#include "kernels/ops/attention.h"
#include "kernels/ops/kv_append.h"
#include "mlx/allocator.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace convergio::kernels::testing {

namespace {

struct Shape {
  int n;
  int m;
  int heads;
  int kv_heads;
  int head_dim;
};

/// Keys or values as a cache has them: the middle of a longer buffer.
mx::array cached(const Shape& s, std::uint64_t seed, mx::Dtype dtype) {
  const mx::array buffer = random({1, s.kv_heads, s.m + 9, s.head_dim}, seed, dtype);
  return mx::slice(buffer, {0, 0, 4, 0}, {1, s.kv_heads, s.m + 4, s.head_dim});
}

void against_mlx(const Shape& s, const AttentionOptions& options, mx::Dtype dtype = mx::float32,
                 const std::optional<mx::array>& sinks = std::nullopt) {
  const mx::array q = heads_first(random({s.n, s.heads, s.head_dim}, 1));
  const mx::array keys = cached(s, 2, dtype);
  const mx::array values = cached(s, 3, dtype);
  const mx::array wanted = by_mlx([&] { return attention(q, keys, values, options, 0, sinks); });
  for (const Isa isa : available_isas()) {
    const With set(isa);
    check_close(attention(q, keys, values, options, 0, sinks), wanted, 5e-6F,
                std::string(isa_name(isa)) + ": attention of " + std::to_string(s.n) + " over " +
                    std::to_string(s.m) + " keys, " + std::to_string(s.heads) + "/" +
                    std::to_string(s.kv_heads) + " heads of " + std::to_string(s.head_dim) +
                    ", window " + std::to_string(options.reach.window));
  }
}

}  // namespace

TEST(attention_equals_mlx) {
  for (const auto& [heads, kv_heads] : {std::pair{1, 1}, {4, 4}, {8, 2}, {14, 2}}) {
    for (const int head_dim : {16, 40, 64, 128}) {
      for (const auto& [n, m] :
           {std::pair{1, 1}, {1, 64}, {1, 65}, {1, 700}, {2, 3}, {5, 5}, {33, 33}, {50, 200}}) {
        against_mlx({n, m, heads, kv_heads, head_dim}, {.scale = 0.2F});
      }
    }
  }
}

TEST(attention_sees_a_window) {
  for (const int window : {1, 2, 63, 64, 65, 100, 5000}) {
    for (const auto& [n, m] : {std::pair{1, 1}, {1, 300}, {70, 70}, {40, 300}, {1, 2000}}) {
      against_mlx({n, m, 4, 2, 32}, {.scale = 0.2F, .reach = {window}});
    }
  }
}

TEST(attention_sees_its_chunk) {
  for (const int window : {1, 2, 64, 65, 100, 299, 5000}) {
    for (const auto& [n, m] : {std::pair{1, 1}, {1, 300}, {70, 70}, {40, 300}, {1, 2000}}) {
      against_mlx({n, m, 4, 2, 32}, {.scale = 0.2F, .reach = {window, true}});
    }
  }
  against_mlx({30, 90, 4, 2, 32}, {.scale = 1.0F, .softcap = 5.0F, .reach = {20, true}});
}

/// Against a loop over numbers: what MLX's ops compute is masked by the same function.
TEST(a_chunk_is_what_shares_its_multiple) {
  for (int position = 0; position < 40; ++position) {
    CHECK_EQ(formats::oldest_seen({8, true}, position), position - position % 8);
    CHECK_EQ(formats::oldest_seen({8, false}, position), std::max(0, position - 7));
    CHECK_EQ(formats::oldest_seen({}, position), 0);
  }
}

TEST(attention_caps_scores) {
  for (const int window : {0, 20}) {
    for (const auto& [n, m] : {std::pair{1, 90}, {30, 90}}) {
      against_mlx({n, m, 4, 2, 32}, {.scale = 1.0F, .softcap = 5.0F, .reach = {window}});
    }
  }
}

TEST(attention_takes_heads_of_up_to_512) {
  for (const mx::Dtype dtype : {mx::float32, mx::float16}) {
    for (const int head_dim : {192, 256, 512}) {
      for (const auto& [n, m] : {std::pair{1, 90}, {30, 90}}) {
        against_mlx({n, m, 4, 1, head_dim}, {.scale = 0.05F, .reach = {70}}, dtype);
      }
    }
  }
}

TEST(attention_has_sinks) {
  const mx::array sinks = mx::multiply(random({6}, 7), mx::array(4.0F));
  for (const auto& [n, m] : {std::pair{1, 1}, {1, 90}, {30, 90}, {1, 4099}}) {
    for (const int window : {0, 20}) {
      against_mlx({n, m, 6, 2, 32}, {.scale = 0.2F, .reach = {window}}, mx::float32, sinks);
    }
    against_mlx({n, m, 6, 2, 32}, {.scale = 1.0F, .softcap = 5.0F}, mx::float32, sinks);
  }
}

TEST(attention_raises_the_temperature_with_the_position) {
  for (const auto& [n, m] : {std::pair{1, 90}, {30, 90}, {9, 9}}) {
    against_mlx({n, m, 4, 2, 32},
                {.scale = 0.2F, .temperature_beta = 0.4F, .temperature_period = 16.0});
    against_mlx({n, m, 4, 2, 32}, {.scale = 0.2F,
                                   .temperature_beta = 0.4F,
                                   .temperature_period = 9.0,
                                   .temperature_offset = 1.0});
  }
}

TEST(attention_reads_half_precision) {
  for (const mx::Dtype dtype : {mx::float16, mx::bfloat16}) {
    for (const auto& [n, m] : {std::pair{1, 90}, {30, 90}}) {
      against_mlx({n, m, 6, 3, 40}, {.scale = 0.2F}, dtype);
    }
  }
}

TEST(attention_of_few_rows_takes_the_cache_as_it_is) {
  for (const mx::Dtype dtype : {mx::float32, mx::float16, mx::bfloat16}) {
    for (int group = 1; group <= 9; ++group) {
      for (const int head_dim : {16, 80, 128}) {
        for (const int m : {1, 15, 64, 79, 130}) {
          against_mlx({1, m, 2 * group, 2, head_dim}, {.scale = 0.2F}, dtype);
        }
      }
    }
    against_mlx({3, 200, 4, 2, 64}, {.scale = 0.2F, .reach = {70}}, dtype);
    against_mlx({1, 200, 6, 2, 64}, {.scale = 1.0F, .softcap = 5.0F, .reach = {70}}, dtype);
  }
}

TEST(attention_splits_long_contexts_over_keys) {
  against_mlx({1, 4099, 2, 1, 64}, {.scale = 0.2F});
  against_mlx({2, 4099, 2, 1, 64}, {.scale = 0.2F, .reach = {3000}});
}

TEST(attention_withstands_large_scores) { against_mlx({9, 200, 2, 1, 64}, {.scale = 40.0F}); }

TEST(attention_takes_strided_queries) {
  const mx::array wide = random({8, 6, 32}, 1);
  const mx::array q = heads_first(mx::slice(wide, {0, 1, 0}, {8, 5, 32}));
  const mx::array keys = random({1, 2, 8, 32}, 2);
  const mx::array whole = mx::contiguous(q);
  check_close(attention(q, keys, keys, {.scale = 0.3F}),
              attention(whole, keys, keys, {.scale = 0.3F}), 0.0F, "strided queries");
}

TEST(attention_equals_mlx_where_values_are_a_part_of_the_keys) {
  for (const auto& [width, value] : {std::pair{576, 512}, {80, 64}, {48, 40}, {35, 20}, {24, 24}}) {
    for (const auto& [n, m] : {std::pair{1, 1}, {1, 700}, {3, 65}, {50, 200}}) {
      for (const mx::Dtype dtype : {mx::float32, mx::float16}) {
        const mx::array q = heads_first(random({n, 6, width}, 1));
        const mx::array keys = cached({n, m, 6, 1, width}, 2, dtype);
        const mx::array values = mx::slice(keys, {0, 0, 0, 0}, {1, 1, m, value});
        const auto mixed = [&] { return attention(q, keys, values, {.scale = 0.1F}); };
        const mx::array wanted = by_mlx(mixed);
        for (const Isa isa : available_isas()) {
          const With set(isa);
          check_close(mixed(), wanted, 5e-6F,
                      std::string(isa_name(isa)) + ": attention of " + std::to_string(n) +
                          " over " + std::to_string(m) + " keys of " + std::to_string(width) +
                          ", values of " + std::to_string(value));
        }
      }
    }
  }
}

TEST(kv_append_equals_mlx) {
  for (const mx::Dtype dtype : {mx::float32, mx::float16, mx::bfloat16}) {
    const mx::array before = random({1, 3, 20, 24}, 1, dtype);
    const mx::array rows = random({1, 3, 5, 24}, 2);
    const mx::array wanted = by_mlx([&] { return kv_append(before, rows, 7); });
    for (const Isa isa : available_isas()) {
      const With set(isa);
      check_close(kv_append(before, rows, 7), wanted, 0.0F,
                  std::string(isa_name(isa)) + ": kv_append");
    }
  }
}

TEST(kv_append_writes_a_part_of_rows) {
  for (const mx::Dtype dtype : {mx::float32, mx::float16}) {
    const mx::array before = random({1, 1, 20, 24}, 1, dtype);
    const mx::array rows = heads_first(random({5, 1, 7}, 2));
    const mx::array wanted = by_mlx([&] { return kv_append(before, rows, 7, 13); });
    for (const Isa isa : available_isas()) {
      const With set(isa);
      check_close(kv_append(before, rows, 7, 13), wanted, 0.0F,
                  std::string(isa_name(isa)) + ": kv_append of a part");
    }
  }
}

TEST(kv_append_rounds_as_mlx_does) {
  // ties, subnormals and the largest halves
  const mx::array rows({1.00048828125F, 1.00146484375F, 6.1e-5F, 5.9604645e-8F, 2.9802322e-8F,
                        8.9e-8F, 65504.0F, 65519.0F, 65520.0F, -0.0F, 1e-30F, 3.38e38F},
                       {1, 1, 1, 12});
  for (const mx::Dtype dtype : {mx::float16, mx::bfloat16}) {
    const mx::array wanted = mx::astype(rows, dtype);
    for (const Isa isa : available_isas()) {
      const With set(isa);
      const mx::array seen = kv_append(mx::zeros({1, 1, 1, 12}, dtype), rows, 0);
      CHECK(mx::array_equal(mx::view(seen, mx::uint16), mx::view(wanted, mx::uint16)).item<bool>());
    }
  }
}

TEST(kv_append_writes_in_place_where_nobody_else_looks) {
  mx::array buffer(mx::allocator::malloc(2 * 64 * 16 * sizeof(float)), {1, 2, 64, 16}, mx::float32);
  const mx::array rows = random({1, 2, 1, 16}, 2);
  const void* home = buffer.data<void>();
  for (int i = 0; i < 3; ++i) {
    buffer = kv_append(std::move(buffer), rows, i);
    mx::eval(buffer);
    CHECK(buffer.data<void>() == home);
  }
  const mx::array held = buffer;
  const mx::array other = kv_append(buffer, rows, 3);
  mx::eval(other);
  CHECK(other.data<void>() != home);
  CHECK(held.data<void>() == home);
}

}  // namespace convergio::kernels::testing
