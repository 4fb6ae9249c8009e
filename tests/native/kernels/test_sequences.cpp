// Rows of several sequences in one op: each sequence's numbers are those that it has alone, to the
// bit on every instruction set, and MLX's ops agree.
#include <string>
#include <vector>

#include "common.h"
#include "kernels/ops/attention.h"
#include "kernels/ops/rope.h"
#include "kernels/ops/take_rows.h"
#include "mlx/ops.h"

namespace convergio::kernels::testing {

namespace {

/// A sequence's rows in the pass, and the keys that are there with them.
struct Place {
  int rows;
  int keys;
  int first_key;
};

const std::vector<Place> kPlaces{{1, 700, 0}, {1, 1, 0}, {5, 40, 3}, {1, 64, 600}, {17, 90, 0}};

int rows_of(const std::vector<Place>& places) {
  int rows = 0;
  for (const Place& one : places) {
    rows += one.rows;
  }
  return rows;
}

std::vector<SeenKeys> seen_by(const std::vector<Place>& places, int kv_heads, int dim) {
  std::vector<SeenKeys> seen;
  for (const Place& one : places) {
    seen.push_back({one.rows, random({1, kv_heads, one.keys, dim}, 2, mx::float16),
                    random({1, kv_heads, one.keys, dim}, 3, mx::float16), one.first_key});
  }
  return seen;
}

/// `together` of all rows of x against `alone(rows of x, index)` of each sequence.
template <class Alone>
void check_alone(const mx::array& together, const mx::array& x, const std::vector<Place>& places,
                 const Alone& alone, float tolerance, const std::string& what) {
  std::vector<mx::array> parts;
  int from = 0;
  for (std::size_t i = 0; i < places.size(); ++i) {
    mx::Shape begin(x.ndim(), 0);
    mx::Shape end = x.shape();
    begin[2] = from;
    end[2] = from += places[i].rows;
    parts.push_back(alone(mx::slice(x, begin, end), i));
  }
  const int rows = parts[0].ndim() == 4 ? 2 : 0;
  check_close(together, mx::concatenate(parts, rows), tolerance, what);
}

}  // namespace

TEST(attention_of_several_sequences_is_that_of_each_alone) {
  const mx::array q = heads_first(random({rows_of(kPlaces), 6, 64}, 1));
  const mx::array sinks = random({6}, 4);
  for (const int window : {0, 50}) {
    const AttentionOptions options{.scale = 0.2F, .temperature_beta = 0.1F, .reach = {window}};
    const std::vector<SeenKeys> seen = seen_by(kPlaces, 2, 64);
    const auto alone = [&](const mx::array& rows, std::size_t i) {
      return attention(rows, seen[i].keys, seen[i].values, options, seen[i].first_key, sinks);
    };
    const auto together = [&] { return attention(q, seen, options, sinks); };
    for (const Isa isa : available_isas()) {
      const With set(isa);
      check_alone(together(), q, kPlaces, alone, 0.0F, std::string(isa_name(isa)));
    }
    check_alone(by_mlx(together), q, kPlaces, alone, 5e-6F, "MLX's ops");
  }
}

TEST(rope_of_several_sequences_is_that_of_each_alone) {
  const mx::array x = heads_first(random({rows_of(kPlaces), 3, 40}, 1));
  std::vector<RotatedRows> parts;
  for (const Place& one : kPlaces) {
    const auto scale = static_cast<float>(parts.size() + 1);
    parts.push_back(
        {one.rows, one.keys, mx::exp(mx::multiply(mx::arange(16.0), mx::array(scale))), scale});
  }
  for (const bool interleaved : {false, true}) {
    const auto alone = [&](const mx::array& rows, std::size_t i) {
      return rope(rows, parts[i].periods, parts[i].magnitude, parts[i].offset, interleaved);
    };
    const auto together = [&] { return rope(x, parts, interleaved); };
    for (const Isa isa : available_isas()) {
      const With set(isa);
      check_alone(together(), x, kPlaces, alone, 0.0F, std::string(isa_name(isa)));
    }
    check_alone(by_mlx(together), x, kPlaces, alone, 4e-6F, "MLX's ops");
  }
}

TEST(rows_are_taken_as_they_are) {
  const mx::array x = random({9, 40}, 1);
  for (const std::vector<int>& rows :
       {std::vector<int>{0}, {8}, {2, 3, 4}, {0, 2, 8}, {0, 0, 2}, {3, 2, 1}}) {
    const mx::array ids(rows.begin(), {static_cast<int>(rows.size())}, mx::int32);
    const mx::array wanted = mx::take(x, ids, 0);
    check_close(take_rows(x, rows), wanted, 0.0F, "rows");
    check_close(by_mlx([&] { return take_rows(x, rows); }), wanted, 0.0F, "MLX's rows");
  }
}

}  // namespace convergio::kernels::testing
