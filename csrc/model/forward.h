#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "arch/spec.h"
#include "model/block.h"
#include "model/cache.h"
#include "model/weights.h"

namespace convergio::model {

/// A loaded model: immutable, shared by every sequence that runs through it.
class Model {
 public:
  /// Maps the folder's config.json and safetensors files; reads no matrix. Throws Error.
  static std::shared_ptr<const Model> load(const std::filesystem::path& folder);

  /// Called between layers; throws to stop a forward, which leaves the cache to be rolled back.
  using Interrupt = std::function<void()>;

  /// Runs `ids`, (n,) int32, after the tokens in the cache, which they join. The result is the
  /// hidden state of each, (n, hidden_size), not yet evaluated except where `interrupt` is given:
  /// then each layer is evaluated before it is asked.
  mx::array forward(const mx::array& ids, Cache& cache, const Interrupt& interrupt = {}) const;

  /// Hidden states (n, hidden_size) to logits (n, vocab_size).
  mx::array logits(const mx::array& hidden) const;

  /// Whether keys and values are float16, as on CPU: half the memory to read at each token, and an
  /// error below that of any quantized weight. CONVERGIO_MLX_EXACT=1, and MLX's ops, keep them in
  /// the dtype of the activations.
  static bool keeps_half_cache();

  /// An empty cache for a sequence that will reach `length` tokens.
  Cache make_cache(int length) const;

  const arch::ModelSpec& spec() const { return spec_; }
  int vocab_size() const { return spec_.config.vocab_size; }
  int context_window() const { return spec_.config.context_window; }  ///< tokens
  std::size_t weight_bytes() const { return checkpoint_.total_bytes(); }
  std::size_t resident_weight_bytes() const { return checkpoint_.resident_bytes(); }
  std::size_t step_bytes() const;          ///< of the weights that making a token reads
  std::size_t kv_bytes_per_token() const;  ///< of the layers that keep every token

 private:
  Model(arch::ModelSpec spec, io::Checkpoint checkpoint);

  arch::ModelSpec spec_;
  io::Checkpoint checkpoint_;
  mx::Dtype dtype_;     ///< of activations
  mx::Dtype kv_dtype_;  ///< of keys and values
  Weights weights_;
  kernels::Matrix embedding_;
  float embedding_multiplier_;
  std::optional<Linear> head_;  ///< nullopt: the embedding
  mx::array final_norm_;
  std::vector<Block> blocks_;
};

}  // namespace convergio::model
