#include "model/cache.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "check.h"
#include "io/error.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"
#include "model/segments.h"

using convergio::arch::LayerSpec;
using convergio::arch::ModelSpec;
using convergio::arch::RecurrenceKind;
using convergio::arch::Rope;
using convergio::arch::RopeKind;
using convergio::formats::Reach;
using convergio::model::Cache;
using convergio::model::LayerCache;
using convergio::model::LayerState;
using convergio::model::StatePart;
namespace mx = mlx::core;

namespace {

constexpr int kHeads = 2;
constexpr int kWidth = 3;

/// One position: (head, dim) numbers.
using Row = std::vector<float>;
using Rows = std::vector<Row>;

float next_number() {
  static std::mt19937 random(3);
  return std::uniform_real_distribution<float>(-1, 1)(random);
}

Rows make_rows(int n) {
  Rows rows(static_cast<std::size_t>(n), Row(kHeads * kWidth));
  for (Row& row : rows) std::ranges::generate(row, next_number);
  return rows;
}

/// (1, heads, n, dim), as attention makes them.
mx::array packed(const Rows& rows) {
  Row all;
  for (const Row& row : rows) all.insert(all.end(), row.begin(), row.end());
  const mx::array a(all.begin(), {1, static_cast<int>(rows.size()), kHeads, kWidth}, mx::float32);
  return mx::transpose(a, {0, 2, 1, 3});
}

/// The rows of (1, heads, m, dim).
Rows unpacked(mx::array view) {
  view = mx::contiguous(mx::transpose(mx::astype(view, mx::float32), {0, 2, 1, 3}));
  mx::eval(view);
  Rows rows;
  const float* data = view.data<float>();
  for (int i = 0; i < view.shape(1); ++i) {
    rows.emplace_back(data + i * kHeads * kWidth, data + (i + 1) * kHeads * kWidth);
  }
  return rows;
}

Rows last_of(const Rows& rows, std::size_t n) {
  return {rows.end() - static_cast<std::ptrdiff_t>(n), rows.end()};
}

Rows negated(Rows rows) {
  for (Row& row : rows) {
    for (float& number : row) number = -number;
  }
  return rows;
}

void settle(const LayerCache& cache) { mx::eval(cache.arrays()); }

const float* where(const LayerCache& cache) {
  settle(cache);
  return cache.arrays().front().data<float>();
}

/// A layer's cache beside the list of all rows it was given; values are the keys negated.
struct Twin {
  explicit Twin(Reach reach_) : cache(kHeads, kWidth, reach_, mx::float32), reach(reach_) {}
  explicit Twin(int window) : Twin(Reach{window}) {}

  void append(int n, bool look) {
    const Rows fresh = make_rows(n);
    const std::size_t before = rows.size();
    rows.insert(rows.end(), fresh.begin(), fresh.end());
    const auto [keys, values] = cache.append(packed(fresh), packed(negated(fresh)));
    CHECK_EQ(cache.length(), rows.size());
    const auto window = static_cast<std::size_t>(reach.window);
    const std::size_t behind = reach.chunked ? before % window
                               : window > 0  ? std::min(before, window - 1)
                                             : before;
    CHECK_EQ(keys.shape(2), behind + fresh.size());
    if (look) {
      const Rows wanted = last_of(rows, behind + fresh.size());
      CHECK(unpacked(keys) == wanted);
      CHECK(unpacked(values) == negated(wanted));
    }
  }

  bool rewind(int length) {
    if (!cache.rewind(length)) return false;
    rows.resize(static_cast<std::size_t>(length));
    CHECK_EQ(cache.length(), length);
    return true;
  }

  LayerCache cache;
  Rows rows;
  Reach reach;
};

const std::vector<Reach> kReaches{{0},   {1},       {2},       {5},        {64},
                                  {200}, {1, true}, {2, true}, {33, true}, {64, true}};

TEST(a_layer_returns_what_a_list_would_have) {
  std::mt19937 random(1);
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  for (const Reach& reach : kReaches) {
    for (int round = 0; round < 12; ++round) {
      Twin now(reach);
      std::vector<Twin> snapshots;
      for (int step = 0; step < 40; ++step) {
        switch (below(10)) {
          case 0:
            now.cache.reserve(below(300));
            break;
          case 1:
            snapshots.push_back(now);
            break;
          case 2:
            if (!snapshots.empty())
              now = snapshots[static_cast<std::size_t>(below(static_cast<int>(snapshots.size())))];
            break;
          case 3: {
            const int length = below(now.cache.length() + 1);
            const bool kept = now.rewind(length);
            CHECK(kept || reach.window > 0);
            break;
          }
          default:
            now.append(below(5) == 0 ? 1 + below(90) : 1, below(3) > 0);
        }
      }
      for (Twin& snapshot : snapshots) snapshot.append(2, true);
      now.append(1, true);
    }
  }
}

TEST(a_layer_with_a_window_can_undo_any_append) {
  for (const Reach& reach :
       std::vector<Reach>{{1}, {2}, {7}, {33}, {1, true}, {7, true}, {33, true}}) {
    Twin twin(reach);
    for (int step = 0; step < 60; ++step) {
      const int before = twin.cache.length();
      twin.append(1 + step % 40, false);
      if (step % 3 == 0) {
        CHECK(twin.rewind(before));
        twin.append(1 + step % 5, true);
      }
    }
  }
}

TEST(a_layer_with_a_window_refuses_to_go_back_to_rows_it_dropped) {
  Twin twin(8);
  twin.append(6, true);
  CHECK(twin.rewind(3));
  for (int i = 0; i < 200; ++i) twin.append(1, true);
  CHECK(!twin.rewind(10));
  CHECK(!twin.rewind(204));  // forwards
  CHECK_EQ(twin.cache.length(), 203);
  twin.append(1, true);
}

TEST(a_layer_with_chunks_keeps_no_more_than_two_and_a_pass) {
  Twin twin(Reach{8, true});
  for (int i = 0; i < 100; ++i) twin.append(1, true);
  CHECK(twin.cache.bytes() <= 2UL * 2 * 8 * kHeads * kWidth * sizeof(float));
  CHECK(!twin.rewind(80));
  for (int i = 0; i < 20; ++i) twin.append(13, true);
}

TEST(rows_are_written_in_place) {
  Twin twin(0);
  twin.cache.reserve(102);
  const float* buffer = where(twin.cache);
  for (int i = 0; i < 50; ++i) {
    twin.append(i % 4 == 0 ? 5 : 1, true);
    CHECK(where(twin.cache) == buffer);
  }
}

TEST(a_window_moves_its_rows_once_a_window_at_most) {
  Twin twin(32);
  for (int i = 0; i < 100; ++i) twin.append(1, false);
  int moves = 0;
  const float* buffer = where(twin.cache);
  for (int i = 0; i < 320; ++i) {
    twin.append(1, false);
    moves += where(twin.cache) != buffer;
    buffer = where(twin.cache);
  }
  CHECK(moves > 0 && moves <= 10);
  CHECK_EQ(twin.cache.bytes(), 2 * 2 * 32 * kHeads * kWidth * sizeof(float));
}

TEST(growth_moves_each_row_a_few_times_at_most) {
  Twin twin(0);
  int moves = 0;
  const float* buffer = where(twin.cache);
  for (int i = 0; i < 2000; ++i) {
    twin.append(1, i % 100 == 0);
    moves += where(twin.cache) != buffer;
    buffer = where(twin.cache);
  }
  CHECK(moves <= 6);  // 64, 128, … 2048
  CHECK_EQ(twin.cache.bytes(), 2UL * 2048 * kHeads * kWidth * sizeof(float));
}

TEST(a_layer_with_a_step_grows_by_it_and_reserves_nothing) {
  LayerCache cache(kHeads, kWidth, {}, mx::float32, 0, /*step=*/16);
  cache.reserve(1000);
  CHECK_EQ(cache.bytes(), 0);
  for (int i = 0; i < 40; ++i) {
    cache.append(packed(make_rows(1)), packed(make_rows(1)));
    settle(cache);
    CHECK_EQ(cache.bytes(), 2UL * static_cast<std::size_t>(i / 16 + 1) * 16 * kHeads * kWidth * 4);
  }
  cache.append(packed(make_rows(50)), packed(make_rows(50)));
  CHECK_EQ(cache.bytes(), 2UL * 96 * kHeads * kWidth * 4);
}

TEST(a_snapshot_shares_its_buffer_until_one_of_both_appends) {
  Twin twin(0);
  twin.cache.reserve(50);
  twin.append(10, true);
  const float* buffer = where(twin.cache);
  Twin snapshot = twin;
  CHECK(where(snapshot.cache) == buffer);
  twin.append(1, true);
  CHECK(where(twin.cache) != buffer);
  CHECK(where(snapshot.cache) == buffer);
  snapshot.append(1, true);  // the only owner now
  CHECK(where(snapshot.cache) == buffer);
  twin.append(1, true);
  CHECK(unpacked(mx::slice(twin.cache.arrays().front(), {0, 0, 0, 0}, {1, kHeads, 12, kWidth})) ==
        twin.rows);
}

TEST(rows_take_the_dtype_of_the_buffer) {
  LayerCache cache(kHeads, kWidth, {}, mx::float16);
  const auto [keys, values] = cache.append(packed(make_rows(4)), packed(make_rows(4)));
  CHECK(keys.dtype() == mx::float16 && values.dtype() == mx::float16);
  settle(cache);
  CHECK_EQ(cache.bytes(), 2UL * 64 * kHeads * kWidth * 2);
}

TEST(latents_are_kept_once) {
  constexpr int kLatent = kWidth - 1;
  LayerCache cache(1, kWidth, {}, mx::float32, kLatent);
  mx::array all = mx::zeros({1, 1, 0, kWidth});
  for (const int n : {3, 70, 1}) {
    const int begin = cache.length();
    const mx::array rows = mx::reshape(
        mx::arange(begin * kWidth, (begin + n) * kWidth, mx::float32), {1, 1, n, kWidth});
    all = mx::concatenate({all, rows}, 2);
    const auto [keys, values] =
        cache.append_latent(mx::slice(rows, {0, 0, 0, 0}, {1, 1, n, kLatent}),
                            mx::slice(rows, {0, 0, 0, kLatent}, {1, 1, n, kWidth}));
    CHECK(mx::array_equal(keys, all).item<bool>());
    CHECK(mx::array_equal(values, mx::slice(all, {0, 0, 0, 0}, {1, 1, begin + n, kLatent}))
              .item<bool>());
  }
  CHECK_EQ(cache.bytes(), 128UL * kWidth * 4);
  CHECK(cache.rewind(2));
  const LayerCache shared = cache;
  cache.own(5);
  CHECK_EQ(cache.bytes(), 7UL * kWidth * 4);
  const auto [keys, values] = cache.seen_by(2);
  CHECK(mx::array_equal(keys, mx::slice(all, {0, 0, 0, 0}, {1, 1, 2, kWidth})).item<bool>());
}

ModelSpec spec_of(const std::vector<int>& windows, bool chunked = false) {
  ModelSpec spec;
  convergio::arch::Rope rope;
  rope.dims = 4;
  spec.config.ropes = {rope};
  for (const int window : windows) {
    LayerSpec layer;
    layer.config = {
        .kv_heads = kHeads, .head_dim = kWidth, .window = window, .chunked = chunked && window > 0};
    spec.layers.push_back(layer);
  }
  return spec;
}

void forward(Cache& cache, int n, bool ends = true) {
  for (int i = 0; i < cache.layer_count(); ++i) {
    cache.layer(i).append(packed(make_rows(n)), packed(make_rows(n)));
    if (!ends && i == 0) return;
  }
  cache.commit(n);
}

TEST(a_cache_counts_what_every_layer_holds) {
  Cache cache(spec_of({0, 4}), mx::float32, 100);
  CHECK_EQ(cache.length(), 0);
  CHECK_EQ(cache.bytes(), 0);
  cache.reserve(20);
  CHECK_EQ(cache.bytes(), 2UL * (20 + 8) * kHeads * kWidth * sizeof(float));
  forward(cache, 15);
  CHECK_EQ(cache.length(), 15);
  CHECK_EQ(cache.arrays().size(), 4);
  CHECK_EQ(cache.rotary(0).periods.size(), 2);
}

ModelSpec spec_scaled(RopeKind kind) {
  ModelSpec spec = spec_of({0});
  Rope& rope = spec.config.ropes.front();
  rope.kind = kind;
  rope.factor = 4;
  rope.original_context = 10;
  rope.short_factor = {1, 1};
  rope.long_factor = {2, 3};
  return spec;
}

std::vector<float> periods_of(const Cache& cache) {
  const mx::array& periods = cache.rotary(0).periods;
  return {periods.data<float>(), periods.data<float>() + periods.size()};
}

TEST(a_longrope_cache_has_to_be_computed_anew_past_the_original_context) {
  const ModelSpec spec = spec_scaled(RopeKind::LongRope);
  Cache cache(spec, mx::float32, 5);
  const std::vector<float> little = periods_of(cache);
  forward(cache, 5);
  CHECK(cache.rotate_for(10));
  CHECK(periods_of(cache) == little);
  CHECK(!cache.rotate_for(11));
  CHECK(periods_of(cache) == little);
  CHECK_EQ(cache.rotated_alike(), 5);
  CHECK(cache.trim(0));
  CHECK(cache.rotate_for(11));
  CHECK(periods_of(cache) != little);
  CHECK_EQ(cache.table_key(), Cache(spec, mx::float32, 500).table_key());
}

TEST(a_dynamic_cache_knows_which_keys_were_rotated_alike) {
  const ModelSpec spec = spec_scaled(RopeKind::Dynamic);
  Cache cache(spec, mx::float32, 8);
  const std::vector<float> little = periods_of(cache);
  forward(cache, 8);
  for (int length = 9; length <= 14; ++length) {
    CHECK(cache.rotate_for(length));
    CHECK_EQ(periods_of(cache) == little, length <= 10);
    forward(cache, 1);
    CHECK_EQ(cache.rotated_alike(), std::min(length, 10));
    CHECK_EQ(cache.table_key(), 0);
  }
  CHECK(cache.trim(12));
  CHECK(cache.rotate_for(13));
  CHECK_EQ(cache.rotated_alike(), 10);
  CHECK(cache.trim(9));
  CHECK(cache.rotate_for(10));
  CHECK(periods_of(cache) == little);
  forward(cache, 1);
  CHECK_EQ(cache.rotated_alike(), 10);

  Cache longer(spec, mx::float32, 12);
  forward(longer, 12);
  CHECK(longer.rotate_for(13));
  forward(longer, 1);
  CHECK_EQ(longer.rotated_alike(), 12);
  CHECK_EQ(longer.table_key(), 12);
}

TEST(a_forward_that_did_not_end_is_rolled_back) {
  Cache cache(spec_of({0, 4, 0}), mx::float32, 100);
  for (int i = 0; i < 30; ++i) {
    forward(cache, 3);
    forward(cache, 7, /*ends=*/false);
    CHECK_EQ(cache.layer(0).length(), 3 * i + 10);
    cache.rollback();
    for (int layer = 0; layer < 3; ++layer) {
      CHECK_EQ(cache.layer(layer).length(), cache.length());
    }
    CHECK_EQ(cache.length(), 3 * (i + 1));
  }
}

TEST(a_cache_is_trimmed_whole_or_not_at_all) {
  Cache full(spec_of({0, 0}), mx::float32, 100);
  forward(full, 50);
  CHECK(full.trim(20));
  CHECK_EQ(full.length(), 20);
  CHECK(full.trim(0));
  CHECK(!full.trim(1));
  CHECK(!full.trim(-1));

  Cache sliding(spec_of({0, 4}), mx::float32, 100);
  for (int i = 0; i < 100; ++i) forward(sliding, 1);
  CHECK(!sliding.trim(20));
  CHECK_EQ(sliding.length(), 100);
  CHECK_EQ(sliding.layer(0).length(), 100);
  forward(sliding, 1);
  CHECK(sliding.trim(100));
}

TEST(a_cache_goes_back_to_where_its_windows_were_copied) {
  for (const int window : {1, 4, 40}) {
    Cache cache(spec_of({0, window, 0}), mx::float32, 1000);
    for (int i = 0; i < 100; ++i) forward(cache, 1);
    mx::eval(cache.arrays());
    const convergio::model::Snapshot snapshot = cache.snapshot();
    CHECK_EQ(snapshot.length, 100);
    CHECK_EQ(snapshot.layers.size(), 1);
    const mx::array buffer = cache.layer(1).arrays().front();
    const mx::array copied = snapshot.layers[0].arrays().front();
    mx::eval(copied);
    CHECK(copied.data<float>() + copied.size() <= buffer.data<float>() ||
          copied.data<float>() >= buffer.data<float>() + buffer.size());
    const Cache then = cache;
    for (int i = 0; i < 150; ++i) forward(cache, 1);
    CHECK(!cache.trim(100));
    CHECK(!cache.trim(100 - window - 1, &snapshot));
    CHECK(!cache.trim(101, &snapshot));
    CHECK_EQ(cache.length(), 250);
    for (int again = 0; again < 2; ++again) {  // the copies stay as they are
      Cache back = cache;
      CHECK(back.trim(100, &snapshot));
      CHECK_EQ(back.length(), 100);
      Cache wanted = then;
      for (int i = 0; i < 3; ++i) {
        CHECK_EQ(back.layer(i).length(), 100);
        const mx::array rows = packed(make_rows(1));
        const auto seen = back.layer(i).append(rows, rows);
        const auto expected = wanted.layer(i).append(rows, rows);
        CHECK(unpacked(seen.first) == unpacked(expected.first));
        CHECK(unpacked(seen.second) == unpacked(expected.second));
      }
    }
  }
}

TEST(a_cache_goes_back_to_where_its_chunks_were_copied) {
  for (const int before : {95, 96, 100}) {  // at the end of a chunk of 8, at its start, within it
    Cache cache(spec_of({0, 8}, /*chunked=*/true), mx::float32, 1000);
    forward(cache, before);
    const convergio::model::Snapshot snapshot = cache.snapshot();
    const Cache then = cache;
    for (int i = 0; i < 300; ++i) forward(cache, 1);
    CHECK(!cache.trim(before));
    for (const int length : {before, before - 5}) {
      Cache back = cache;
      CHECK(back.trim(length, &snapshot));
      Cache wanted = then;
      CHECK(wanted.trim(length));
      const mx::array rows = packed(make_rows(3));
      const auto seen = back.layer(1).append(rows, rows);
      const auto expected = wanted.layer(1).append(rows, rows);
      CHECK_EQ(seen.first.shape(2), length % 8 + 3);
      CHECK(unpacked(seen.first) == unpacked(expected.first));
    }
  }
}

TEST(a_cache_of_its_own_leaves_the_other_its_buffers) {
  Cache cache(spec_of({0, 4}), mx::float32, 1000);
  for (int i = 0; i < 50; ++i) forward(cache, 1);
  mx::eval(cache.arrays());
  const auto where = [](const Cache& one) { return one.arrays()[0].data<float>(); };
  const float* buffer = where(cache);
  Cache other = cache;
  CHECK(other.trim(30) == false);
  other.own(20);
  mx::eval(other.arrays());
  CHECK_EQ(other.bytes(), 2UL * (70 + 8) * kHeads * kWidth * sizeof(float));
  CHECK(unpacked(other.arrays()[0]).size() == 70);
  forward(cache, 1);
  mx::eval(cache.arrays());
  CHECK(where(cache) == buffer);
  forward(other, 20);
  mx::eval(other.arrays());
  CHECK_EQ(other.length(), 70);
  const Rows rows = unpacked(cache.arrays()[0]);
  const Rows others = unpacked(other.arrays()[0]);
  CHECK(std::equal(rows.begin(), rows.begin() + 50, others.begin()));
}

TEST(no_row_is_dropped_before_a_cache_says_so) {
  CHECK(Cache(spec_of({0, 0}), mx::float32, 10).lossless_length() > 1'000'000'000);
  const std::vector<int> sizes{1, 3, 7, 100};
  for (const int n : sizes) {
    Cache cache(spec_of({0, 30, 20}), mx::float32, 100);
    CHECK_EQ(cache.lossless_length(), 40);
    while (cache.length() + n <= 40) forward(cache, n);
    CHECK(cache.trim(0));
  }
}

TEST(a_copy_of_a_cache_restores_it) {
  Cache cache(spec_of({0, 4}), mx::float32, 100);
  forward(cache, 12);
  const Cache snapshot = cache;
  mx::eval(cache.arrays());
  const Rows before = unpacked(snapshot.arrays()[0]);
  for (int i = 0; i < 20; ++i) forward(cache, 2);
  CHECK_EQ(cache.length(), 52);
  cache = snapshot;
  CHECK_EQ(cache.length(), 12);
  const Rows after = unpacked(cache.arrays()[0]);
  CHECK(std::equal(before.begin(), before.begin() + 12, after.begin()));
  forward(cache, 1);
  CHECK_EQ(snapshot.length(), 12);
}

ModelSpec spec_recurrent() {
  ModelSpec spec = spec_of({0, 4, 0});
  for (const std::size_t layer : {1UL, 2UL}) {
    spec.layers[layer].config.recurrence = {.kind = RecurrenceKind::ShortConv,
                                            .taps = 3,
                                            .channels = 2,
                                            .heads = 1,
                                            .key_dim = 2,
                                            .value_dim = 3};
  }
  spec.layers[2].config.attends = false;  // layer 1 has both
  return spec;
}

/// A pass that adds its rows to every number of the states.
void recur(Cache& cache, int rows, bool ends = true) {
  for (const int layer : {0, 1}) {
    cache.layer(layer).append(packed(make_rows(rows)), packed(make_rows(rows)));
  }
  for (const int layer : {1, 2}) {
    for (const StatePart part : {StatePart::Inputs, StatePart::Matrices}) {
      const mx::array state = cache.state(layer).take(part, rows == 1);
      mx::array next = mx::add(state, mx::array(static_cast<float>(rows)));
      mx::eval(next);
      if (!ends && layer == 2 && part == StatePart::Matrices) return;
      cache.state(layer).put(part, next);
    }
  }
  cache.commit(rows);
}

/// All numbers of a cache's states, which recur() keeps alike.
float state_of(Cache& cache) {
  std::vector<float> all;
  for (const int layer : {1, 2}) {
    for (const StatePart part : {StatePart::Inputs, StatePart::Matrices}) {
      const mx::array state = cache.state(layer).take(part, /*in_place=*/false);
      all.insert(all.end(), state.data<float>(), state.data<float>() + state.size());
    }
  }
  CHECK_EQ(all.size(), 2UL * (4 + 6));
  CHECK_EQ(std::ranges::count(all, all.front()), static_cast<std::ptrdiff_t>(all.size()));
  return all.front();
}

TEST(states_begin_with_zero_and_go_on_with_every_pass) {
  Cache cache(spec_recurrent(), mx::float32, 100);
  CHECK(cache.has_states() && !Cache(spec_of({0}), mx::float32, 1).has_states());
  CHECK_EQ(cache.bytes(), 2UL * (4 + 6) * sizeof(float));
  CHECK_EQ(cache.lossless_length(), 0);
  CHECK_EQ(state_of(cache), 0.0F);
  for (const int rows : {1, 5, 1, 2}) recur(cache, rows);
  CHECK_EQ(cache.length(), 9);
  CHECK_EQ(state_of(cache), 9.0F);
}

TEST(a_pass_of_several_rows_that_did_not_end_leaves_the_states) {
  Cache cache(spec_recurrent(), mx::float32, 100);
  recur(cache, 3);
  recur(cache, 4, /*ends=*/false);
  cache.rollback();
  CHECK(!cache.torn());
  CHECK_EQ(cache.length(), 3);
  CHECK_EQ(state_of(cache), 3.0F);
  recur(cache, 2);
  CHECK_EQ(state_of(cache), 5.0F);
}

TEST(a_pass_of_one_row_that_did_not_end_tears_the_cache) {
  Cache cache(spec_recurrent(), mx::float32, 100);
  recur(cache, 3);
  const Cache copy = cache;
  recur(cache, 1, /*ends=*/false);
  cache.rollback();
  CHECK(cache.torn());
  bool refused = false;
  try {
    recur(cache, 1);
  } catch (const convergio::Error& error) {
    refused = error.kind() == convergio::ErrorKind::Internal;
  }
  CHECK(refused);
  cache = copy;
  CHECK(!cache.torn());
  CHECK_EQ(state_of(cache), 3.0F);
}

TEST(a_state_is_written_in_place_by_who_holds_it_alone) {
  Cache cache(spec_recurrent(), mx::float32, 100);
  const auto where = [&] { return cache.state(1).take(StatePart::Matrices, false).data<float>(); };
  const float* first = where();
  mx::array state = cache.state(1).take(StatePart::Matrices, /*in_place=*/true);
  CHECK(state.is_donatable());
  cache.state(1).put(StatePart::Matrices, std::move(state));
  cache.commit(0);
  CHECK(where() == first);
  const convergio::model::Snapshot snapshot = cache.snapshot();
  CHECK(!cache.state(1).take(StatePart::Matrices, /*in_place=*/true).is_donatable());
}

/// A pass over all segments in which a number of a state is its row's number times ten plus the one
/// before; results are those of rows.
std::vector<float> recur_marked(std::vector<convergio::model::Segment> segments, int rows) {
  std::vector<float> results;
  for (const int layer : {1, 2}) {
    for (const StatePart part : {StatePart::Inputs, StatePart::Matrices}) {
      const auto op = [&](int from, int to, std::vector<convergio::kernels::StatefulRows> all) {
        std::vector<float> y;
        std::vector<mx::array> states;
        for (convergio::kernels::StatefulRows& one : all) {
          for (int i = 0; i < one.rows; ++i) {
            const auto row = static_cast<float>(from + static_cast<int>(y.size()));
            one.state = mx::add(mx::multiply(one.state, mx::array(10.0F)), mx::array(row));
            mx::eval(one.state);
            y.push_back(one.state.data<float>()[0]);
          }
          states.push_back(one.state);
        }
        CHECK_EQ(static_cast<int>(y.size()), to - from);
        return convergio::kernels::WithStates{mx::array(y.begin(), {to - from, 1}), states};
      };
      mx::array y = convergio::model::with_states(segments, layer, part, op);
      mx::eval(y);
      CHECK_EQ(y.shape(0), rows);
      results.assign(y.data<float>(), y.data<float>() + rows);
    }
  }
  for (const auto& one : segments) {
    for (const int layer : {0, 1}) {
      one.cache->layer(layer).append(packed(make_rows(one.rows)), packed(make_rows(one.rows)));
    }
    one.cache->commit(one.rows);
  }
  return results;
}

TEST(states_within_a_pass_are_those_of_shorter_passes) {
  const auto make = [] { return Cache(spec_recurrent(), mx::float32, 100); };
  Cache first = make();
  Cache second = make();
  Cache third = make();
  const std::vector<int> marks{1, 3};
  const std::vector<int> mark{1};
  const std::vector<float> found =
      recur_marked({{&first, 4, 0, marks}, {&second, 1}, {&third, 2, 0, mark}}, /*rows=*/7);
  CHECK(found == (std::vector<float>{0, 1, 12, 123, 4, 5, 56}));
  const std::vector<int> lengths{1, 3};
  const auto snapshots = first.take_marked(lengths);
  const auto one = third.take_marked(mark);
  CHECK_EQ(state_of(first), 123.0F);
  CHECK_EQ(state_of(third), 56.0F);
  CHECK_EQ(snapshots.size(), 2);
  const std::vector<float> wanted{0, 12};
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK_EQ(snapshots[i].length, lengths[i]);
    Cache back = first;
    CHECK(back.trim(lengths[i], &snapshots[i]));
    CHECK_EQ(back.length(), lengths[i]);
    CHECK_EQ(state_of(back), wanted[i]);
  }
  CHECK(third.trim(1, &one.front()));
  CHECK_EQ(state_of(third), 5.0F);
}

TEST(marks_of_a_pass_that_did_not_end_go_with_it) {
  Cache cache(spec_recurrent(), mx::float32, 100);
  recur(cache, 5);
  LayerState& state = cache.state(1);
  const mx::array before = state.take(StatePart::Inputs, /*in_place=*/false);
  state.put(StatePart::Inputs, mx::add(before, mx::array(1.0F)));
  const std::size_t bytes = cache.bytes();
  CHECK_EQ(state.mark(StatePart::Inputs).size(), before.size());
  cache.rollback();
  CHECK(!cache.torn() && cache.bytes() < bytes);
  CHECK_EQ(state_of(cache), 5.0F);
}

TEST(states_go_back_to_a_snapshot_alone) {
  Cache cache(spec_recurrent(), mx::float32, 1000);
  for (int i = 0; i < 50; ++i) recur(cache, 1);
  const convergio::model::Snapshot snapshot = cache.snapshot();
  CHECK_EQ(snapshot.length, 50);
  CHECK_EQ(snapshot.states.size(), 2);
  CHECK(snapshot.bytes() > 2UL * (4 + 6) * sizeof(float));
  CHECK(cache.trim(50));
  for (int i = 0; i < 30; ++i) recur(cache, 1);
  for (const int length : {0, 49, 50, 79}) CHECK(!cache.trim(length));
  for (const int length : {0, 49, 51}) CHECK(!cache.trim(length, &snapshot));
  CHECK_EQ(state_of(cache), 80.0F);
  for (int again = 0; again < 2; ++again) {
    CHECK(cache.trim(50, &snapshot));
    CHECK_EQ(cache.length(), 50);
    CHECK_EQ(state_of(cache), 50.0F);
    cache.own(10);
    recur(cache, 1);
    recur(cache, 6);
    CHECK_EQ(state_of(cache), 57.0F);
  }
}

}  // namespace
