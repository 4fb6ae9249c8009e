#include "kernels/ops/attention_kernel.h"

#include <algorithm>
#include <cmath>

#include "kernels/cpu/cores.h"
#include "kernels/cpu/pool.h"

namespace convergio::kernels {

SequenceAttention::SequenceAttention(const KernelSet& set, const Attention& shape,
                                     std::int64_t sequences)
    : set_(set), a_(shape) {
  constexpr std::int64_t kRows = 40;  // of query heads, that share a transposed block of keys
  positions_ = std::min(a_.n, std::max<std::int64_t>(1, kRows / group()));
  tiles_of_head_ = (a_.n + positions_ - 1) / positions_;
  const Range chunks = chunks_of(keys_of(a_.n - 1, a_.n));
  const std::int64_t wanted = 2 * thread_count() / (tiles() * sequences);
  splits_ =
      std::clamp<std::int64_t>(chunks.end - chunks.begin, 1, std::max<std::int64_t>(1, wanted));
  const std::int64_t rows = positions_ * group();
  partial_floats_ = rows * attention_row(a_.value_dim);
  work_floats_ = attention_work(rows, a_.key_dim, a_.value_dim);
  if (splits_ > 1) {
    const std::int64_t keys = positions_ + (a_.reach.window > 0 ? a_.reach.window : a_.m);
    most_chunks_ = keys / kAttentionChunk + 2;  // the first and the last may be seen in part
    partials_ = aligned_floats(tiles() * most_chunks_ * partial_floats_);
  }
}

void SequenceAttention::set_rows(const float* q, std::int64_t q_row, std::int64_t q_head,
                                 const float* sinks, float* y) {
  a_.q = q;
  a_.q_row = q_row;
  a_.q_head = q_head;
  sinks_ = sinks;
  y_ = y;
}

/// The keys that positions [begin, end) see.
SequenceAttention::Range SequenceAttention::keys_of(std::int64_t begin, std::int64_t end) const {
  const std::int64_t before = a_.m - a_.n;
  const std::int64_t oldest = formats::oldest_seen(a_.reach, a_.first_key + before + begin);
  return {std::max<std::int64_t>(0, oldest - a_.first_key), before + end};
}

/// The chunks that keys lie in.
SequenceAttention::Range SequenceAttention::chunks_of(const Range& keys) const {
  return {(a_.first_key + keys.begin) / kAttentionChunk,
          (a_.first_key + keys.end - 1) / kAttentionChunk + 1};
}

SequenceAttention::Tile SequenceAttention::tile_at(std::int64_t head, std::int64_t index) const {
  const std::int64_t begin = index * positions_;
  const std::int64_t end = std::min(a_.n, begin + positions_);
  const Range keys = keys_of(begin, end);
  return {head, begin, end, (end - begin) * group(), keys, chunks_of(keys)};
}

void SequenceAttention::attend(std::int64_t piece) const {
  const std::int64_t split = piece % splits_;
  const std::int64_t index = tiles_of_head_ - 1 - piece / splits_ % tiles_of_head_;  // longest
  const std::int64_t head = piece / splits_ / tiles_of_head_;                        // first
  const Tile tile = tile_at(head, index);
  const std::int64_t chunks = tile.chunks.end - tile.chunks.begin;
  const bool alone = splits_ == 1;
  const std::int64_t floats = work_floats_ + (alone ? 2 * partial_floats_ : 0);
  auto* work = static_cast<float*>(scratch(floats * std::int64_t{sizeof(float)}));
  float* first =
      alone ? work + work_floats_
            : partials_.get() + (head * tiles_of_head_ + index) * most_chunks_ * partial_floats_;
  for (std::int64_t c = chunks * split / splits_; c < chunks * (split + 1) / splits_; ++c) {
    float* out = first + (alone ? std::min<std::int64_t>(c, 1) : c) * partial_floats_;
    attend_chunk(tile, tile.chunks.begin + c, out, work);
    if (alone && c > 0) {
      merge(tile, first, out);
    }
  }
  if (alone) {
    finish(tile, first);
  }
}

void SequenceAttention::merge_tile(std::int64_t tile) const {
  float* partials = partials_.get() + tile * most_chunks_ * partial_floats_;
  const Tile of = tile_at(tile / tiles_of_head_, tile % tiles_of_head_);
  for (std::int64_t c = 1; c < of.chunks.end - of.chunks.begin; ++c) {
    merge(of, partials, partials + c * partial_floats_);
  }
  finish(of, partials);
}

void SequenceAttention::attend_chunk(const Tile& tile, std::int64_t chunk, float* out,
                                     float* work) const {
  const std::int64_t from = chunk * kAttentionChunk - a_.first_key;
  set_.attend(a_, {.head = tile.head,
                   .begin = tile.begin,
                   .end = tile.end,
                   .from = std::max(tile.keys.begin, from),
                   .to = std::min(tile.keys.end, from + kAttentionChunk),
                   .out = out,
                   .work = work});
}

void SequenceAttention::merge(const Tile& tile, float* into, const float* from) const {
  for (std::int64_t r = 0; r < tile.rows; ++r) {
    const std::int64_t at = r * attention_row(a_.value_dim);
    set_.merge_partials(into + at, from + at, a_.value_dim);
  }
}

/// The rows of y from their partial results over all keys.
void SequenceAttention::finish(const Tile& tile, float* partials) const {
  for (std::int64_t r = 0; r < tile.rows; ++r) {
    const PartialRow row = partial_row(partials, r, a_.value_dim);
    const std::int64_t head = tile.head * group() + r % group();
    const std::int64_t at = (tile.begin + r / group()) * a_.heads + head;
    float share = 1.0F;  // of what the keys' weights are multiplied by
    float total = *row.total;
    if (sinks_ != nullptr) {
      const float highest = std::max(*row.highest, sinks_[head]);
      share = std::exp(*row.highest - highest);
      total = total * share + std::exp(sinks_[head] - highest);
    }
    for (std::int64_t d = 0; d < a_.value_dim; ++d) {
      y_[at * a_.value_dim + d] = row.mix[d] * share / total;
    }
  }
}

}  // namespace convergio::kernels
