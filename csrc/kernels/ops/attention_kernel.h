#pragma once

#include <cstdint>
#include <memory>

#include "kernels/bodies/kernel_set.h"
#include "kernels/mlx/operand.h"
#include "mlx/array.h"

namespace convergio::kernels {

/// Attention of some rows over the keys that they see: the work of one sequence in a pass. It is
/// cut into a piece for each KV head, tile of positions and, where that leaves too few pieces for
/// the threads, split of the keys. A row's numbers do not depend on how it is cut.
class SequenceAttention {
 public:
  /// `shape` has all but its pointers to queries; `sequences` have their pieces run together.
  SequenceAttention(const KernelSet& set, const Attention& shape, std::int64_t sequences);

  std::int64_t pieces() const { return tiles() * splits_; }
  /// The tiles whose pieces are to be merged after all have run; 0: none.
  std::int64_t merges() const { return splits_ > 1 ? tiles() : 0; }

  /// The queries, `sinks` (null: none), and where the rows of the result go.
  void set_rows(const float* q, std::int64_t q_row, std::int64_t q_head, const float* sinks,
                float* y);
  void attend(std::int64_t piece) const;
  void merge_tile(std::int64_t tile) const;

 private:
  /// A range of keys, or of chunks of them.
  struct Range {
    std::int64_t begin;
    std::int64_t end;
  };
  /// Positions [begin, end) of a KV head's queries.
  struct Tile {
    std::int64_t head;
    std::int64_t begin;
    std::int64_t end;
    std::int64_t rows;  ///< positions times query heads
    Range keys;
    Range chunks;
  };

  std::int64_t tiles() const { return a_.kv_heads * tiles_of_head_; }
  std::int64_t group() const { return a_.heads / a_.kv_heads; }
  Range keys_of(std::int64_t begin, std::int64_t end) const;
  Range chunks_of(const Range& keys) const;
  Tile tile_at(std::int64_t head, std::int64_t index) const;
  void attend_chunk(const Tile& tile, std::int64_t chunk, float* out, float* work) const;
  void merge(const Tile& tile, float* into, const float* from) const;
  void finish(const Tile& tile, float* partials) const;

  const KernelSet& set_;
  Attention a_;
  std::int64_t positions_;  ///< of a tile
  std::int64_t tiles_of_head_;
  std::int64_t splits_;
  std::int64_t partial_floats_;   ///< of a tile's result over a chunk of keys
  std::int64_t work_floats_;      ///< of a piece's own memory
  std::int64_t most_chunks_ = 0;  ///< of a tile
  std::shared_ptr<float[]> partials_;
  const float* sinks_ = nullptr;
  float* y_ = nullptr;
};

}  // namespace convergio::kernels
