#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "arch/spec.h"
#include "kernels/ops/norm.h"
#include "model/block.h"
#include "model/cache.h"
#include "model/per_layer.h"
#include "model/segments.h"
#include "model/weight_loader.h"

namespace convergio::model {

/// A folder's config.json. Throws Error.
arch::Config read_config(const std::filesystem::path& folder);

/// A loaded model: immutable, shared by every sequence that runs through it.
class Model {
 public:
  /// Maps the folder's safetensors files; reads no matrix. `config` is its config.json where that
  /// has been parsed already. Throws Error.
  static std::shared_ptr<const Model> load(const std::filesystem::path& folder,
                                           std::optional<arch::Config> config = std::nullopt);

  /// Called between layers; throws to stop a forward, which leaves the caches to be rolled back.
  using Interrupt = std::function<void()>;

  /// Runs `ids`, (n,) int32, each after the tokens in its segment's cache, which it joins, unless
  /// it is drafted. The result is the hidden state of each, (n, hidden_size), not yet evaluated
  /// except where `interrupt` is given: then each layer is evaluated before that is called. On our
  /// own kernels a row's numbers are the same to the bit whatever the other rows are.
  mx::array forward(const mx::array& ids, Segments segments, const Interrupt& interrupt = {}) const;

  /// The same with all ids in one sequence.
  mx::array forward(const mx::array& ids, Cache& cache, const Interrupt& interrupt = {}) const;

  /// Hidden states (n, hidden_size) to logits (n, vocab_size).
  mx::array logits(const mx::array& hidden) const;

  /// Whether keys and values are float16, as on CPU: half the memory to read at each token, and an
  /// error below that of any quantized weight. CONVERGIO_MLX_EXACT=1, and MLX's ops, keep them in
  /// the dtype of the activations.
  static bool keeps_half_cache();

  /// An empty cache, with the rotary tables for a sequence of `length` tokens.
  Cache make_cache(int length) const;

  /// Throws Error (ModelCorrupt) once a file of the weights was cut off and that was read: what was
  /// computed since is not to be used.
  void check_undamaged() const { checkpoint_.check_undamaged(); }

  /// The same where a file is found to have become shorter; before a request begins.
  void check_files() const { checkpoint_.check_sizes(); }

  const arch::ModelSpec& spec() const { return spec_; }
  int vocab_size() const { return spec_.config.vocab_size; }
  int context_window() const { return spec_.config.context_window; }  ///< tokens
  std::size_t weight_bytes() const { return checkpoint_.total_bytes() - spec_.unused_bytes; }
  std::size_t resident_weight_bytes() const { return checkpoint_.resident_bytes(); }
  std::size_t step_bytes() const;          ///< of the weights that making a token reads
  std::size_t kv_bytes_per_token() const;  ///< of the layers that keep every token
  std::size_t state_bytes() const;         ///< of a sequence's states, however long it is
  std::size_t kv_bytes(int tokens) const;  ///< of a cache with room for so many, and those
  std::size_t snapshot_bytes() const;      ///< of a Snapshot of a long sequence

 private:
  Model(arch::ModelSpec spec, io::Checkpoint checkpoint);

  arch::ModelSpec spec_;
  io::Checkpoint checkpoint_;
  mx::Dtype dtype_;     ///< of activations
  mx::Dtype kv_dtype_;  ///< of keys and values
  WeightLoader weights_;
  kernels::Matrix embedding_;
  float embedding_multiplier_;
  std::optional<Linear> head_;  ///< nullopt: the embedding
  std::optional<kernels::Norm> embedding_norm_;
  std::optional<PerLayerInputs> per_layer_;
  kernels::Norm final_norm_;
  std::vector<Block> blocks_;
};

}  // namespace convergio::model
