#include "kernels/ops/attention.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "kernels/bodies/kernel_set.h"
#include "kernels/cpu/cores.h"
#include "kernels/cpu/pool.h"
#include "kernels/mlx/operand.h"
#include "kernels/mlx/primitive.h"
#include "kernels/ops/attention_mlx.h"
#include "kernels/ops/kv_append.h"

namespace convergio::kernels {

namespace {

/// A range of keys, or of chunks of them.
struct Range {
  std::int64_t begin;
  std::int64_t end;
};

/// The keys that positions [begin, end) see.
Range keys_of(const Attention& a, std::int64_t begin, std::int64_t end) {
  const std::int64_t before = a.m - a.n;
  return {a.window > 0 ? std::max<std::int64_t>(0, before + begin + 1 - a.window) : 0,
          before + end};
}

/// The chunks that keys lie in.
Range chunks_of(const Attention& a, const Range& keys) {
  return {(a.first_key + keys.begin) / kAttentionChunk,
          (a.first_key + keys.end - 1) / kAttentionChunk + 1};
}

/// How the work is cut: each KV head, `positions` of the queries at a time, and where that leaves
/// too few pieces for the threads, the chunks of keys in `splits` ranges.
struct Tiling {
  std::int64_t positions;
  std::int64_t tiles;
  std::int64_t splits;
};

Tiling tiling_of(const Attention& a) {
  constexpr std::int64_t kRows = 40;  // of query heads, that share a transposed block of keys
  const std::int64_t group = a.heads / a.kv_heads;
  const std::int64_t positions = std::min(a.n, std::max<std::int64_t>(1, kRows / group));
  const std::int64_t tiles = (a.n + positions - 1) / positions;
  const Range chunks = chunks_of(a, keys_of(a, a.n - 1, a.n));
  const std::int64_t wanted = 2 * thread_count() / (a.kv_heads * tiles);
  return {
      positions, tiles,
      std::clamp<std::int64_t>(chunks.end - chunks.begin, 1, std::max<std::int64_t>(1, wanted))};
}

KeysOrValues view_of(const mx::array& a) {
  if (a.strides(2) != 1 && a.shape(2) != 1) {
    throw std::invalid_argument("[attention] the numbers of a key are " +
                                std::to_string(a.strides(2)) +
                                " apart; pass keys and values with their numbers side by side.");
  }
  const auto size = static_cast<std::int64_t>(a.itemsize());
  return {a.data<std::uint8_t>(), *type_of(a.dtype()), a.strides(0) * size, a.strides(1) * size};
}

/// What cpu_op runs: one piece for each KV head, tile of positions and split of keys.
class AttentionKernel {
 public:
  AttentionKernel(const KernelSet& set, const AttentionOptions& options, int first_key)
      : set_(set), options_(options), first_key_(first_key) {}

  void bind(const std::vector<mx::array>& in, mx::array& out) {
    allocate(out);
    y_ = out.data<float>();
    q_ = RowsOperand(in[0]);
    const Rows& q = q_.shape();
    a_ = {.q = nullptr,
          .q_row = 0,
          .q_head = 0,
          .keys = view_of(in[1]),
          .values = view_of(in[2]),
          .n = q.n,
          .m = in[1].shape(1),
          .first_key = first_key_,
          .heads = q.heads,
          .kv_heads = in[1].shape(0),
          .key_dim = q.width,
          .value_dim = in[2].shape(2),
          .scale = options_.scale,
          .temperature_beta = options_.temperature_beta,
          .temperature_period = options_.temperature_period,
          .softcap = options_.softcap,
          .window = options_.window};
    if (in.size() > 3) {
      sinks_ = RowsOperand(in[3]);
    }
    tiling_ = tiling_of(a_);
    const std::int64_t rows = tiling_.positions * (a_.heads / a_.kv_heads);
    partial_floats_ = rows * attention_row(a_.value_dim);
    work_floats_ = attention_work(rows, a_.key_dim, a_.value_dim);
    if (tiling_.splits > 1) {
      const std::int64_t keys = tiling_.positions + (a_.window > 0 ? a_.window : a_.m);
      most_chunks_ = keys / kAttentionChunk + 2;  // the first and the last may be seen in part
      partials_ = aligned_floats(a_.kv_heads * tiling_.tiles * most_chunks_ * partial_floats_);
    }
  }

  void run() {
    const Rows q = q_.read();
    a_.q = q.data;
    a_.q_row = q.row;
    a_.q_head = q.head;
    const float* sinks = sinks_ ? sinks_->read().data : nullptr;
    const std::int64_t tiles = a_.kv_heads * tiling_.tiles;
    parallel(tiles * tiling_.splits, [&](std::int64_t task) { attend(task, sinks); });
    if (tiling_.splits > 1) {
      parallel(tiles, [&](std::int64_t tile) {
        float* partials = partials_.get() + tile * most_chunks_ * partial_floats_;
        const Piece piece = piece_of(tile / tiling_.tiles, tile % tiling_.tiles);
        for (std::int64_t c = 1; c < piece.chunks.end - piece.chunks.begin; ++c) {
          merge(piece, partials, partials + c * partial_floats_);
        }
        finish(piece, partials, sinks);
      });
    }
  }

 private:
  /// Positions [begin, end) of a KV head's queries.
  struct Piece {
    std::int64_t head;
    std::int64_t begin;
    std::int64_t end;
    std::int64_t rows;  ///< positions times query heads
    Range keys;
    Range chunks;
  };

  Piece piece_of(std::int64_t head, std::int64_t tile) const {
    const std::int64_t begin = tile * tiling_.positions;
    const std::int64_t end = std::min(a_.n, begin + tiling_.positions);
    const Range keys = keys_of(a_, begin, end);
    return {head, begin, end, (end - begin) * (a_.heads / a_.kv_heads), keys, chunks_of(a_, keys)};
  }

  void attend(std::int64_t task, const float* sinks) const {
    const std::int64_t split = task % tiling_.splits;
    const std::int64_t tile = tiling_.tiles - 1 - task / tiling_.splits % tiling_.tiles;  // longest
    const std::int64_t head = task / tiling_.splits / tiling_.tiles;                      // first
    const Piece piece = piece_of(head, tile);
    const std::int64_t chunks = piece.chunks.end - piece.chunks.begin;
    const bool alone = tiling_.splits == 1;
    const std::int64_t floats = work_floats_ + (alone ? 2 * partial_floats_ : 0);
    auto* work = static_cast<float*>(scratch(floats * std::int64_t{sizeof(float)}));
    float* first =
        alone ? work + work_floats_
              : partials_.get() + (head * tiling_.tiles + tile) * most_chunks_ * partial_floats_;
    for (std::int64_t c = chunks * split / tiling_.splits;
         c < chunks * (split + 1) / tiling_.splits; ++c) {
      float* out = first + (alone ? std::min<std::int64_t>(c, 1) : c) * partial_floats_;
      attend_chunk(piece, piece.chunks.begin + c, out, work);
      if (alone && c > 0) {
        merge(piece, first, out);
      }
    }
    if (alone) {
      finish(piece, first, sinks);
    }
  }

  void attend_chunk(const Piece& piece, std::int64_t chunk, float* out, float* work) const {
    const std::int64_t from = chunk * kAttentionChunk - first_key_;
    set_.attend(a_, {.head = piece.head,
                     .begin = piece.begin,
                     .end = piece.end,
                     .from = std::max(piece.keys.begin, from),
                     .to = std::min(piece.keys.end, from + kAttentionChunk),
                     .out = out,
                     .work = work});
  }

  void merge(const Piece& piece, float* into, const float* from) const {
    for (std::int64_t r = 0; r < piece.rows; ++r) {
      const std::int64_t at = r * attention_row(a_.value_dim);
      set_.merge_partials(into + at, from + at, a_.value_dim);
    }
  }

  /// The rows of y from their partial results over all keys.
  void finish(const Piece& piece, float* partials, const float* sinks) const {
    const std::int64_t group = a_.heads / a_.kv_heads;
    for (std::int64_t r = 0; r < piece.rows; ++r) {
      const PartialRow row = partial_row(partials, r, a_.value_dim);
      const std::int64_t head = piece.head * group + r % group;
      const std::int64_t at = (piece.begin + r / group) * a_.heads + head;
      float share = 1.0F;  // of what the keys' weights are multiplied by
      float total = *row.total;
      if (sinks != nullptr) {
        const float highest = std::max(*row.highest, sinks[head]);
        share = std::exp(*row.highest - highest);
        total = total * share + std::exp(sinks[head] - highest);
      }
      for (std::int64_t d = 0; d < a_.value_dim; ++d) {
        y_[at * a_.value_dim + d] = row.mix[d] * share / total;
      }
    }
  }

  const KernelSet& set_;
  AttentionOptions options_;
  std::int64_t first_key_;
  RowsOperand q_;
  std::optional<RowsOperand> sinks_;
  Attention a_{};
  Tiling tiling_{};
  std::int64_t partial_floats_ = 0;  ///< of a piece's result over a chunk of keys
  std::int64_t work_floats_ = 0;     ///< of a piece's own memory
  std::int64_t most_chunks_ = 0;     ///< of a piece
  std::shared_ptr<float[]> partials_;
  float* y_ = nullptr;
};

}  // namespace

mx::array attention(const mx::array& q, const mx::array& keys, const mx::array& values,
                    const AttentionOptions& options, int first_key,
                    const std::optional<mx::array>& sinks) {
  if (!own_kernels(q) || !is_cache_type(keys) || keys.dtype() != values.dtype()) {
    return mlx_attention(q, keys, values, options, first_key, sinks);
  }
  std::vector<mx::array> inputs{q, keys, values};
  if (sinks) {
    inputs.push_back(*sinks);
  }
  return cpu_op("attention", {q.shape(0), q.shape(1) * values.shape(2)}, mx::float32,
                std::move(inputs), AttentionKernel(kernel_set(active_isa()), options, first_key));
}

}  // namespace convergio::kernels
