#pragma once

#include <cstddef>
#include <optional>

namespace convergio::engine {

/// Memory that MLX holds, in bytes.
struct Memory {
  std::size_t active = 0;
  std::size_t peak = 0;
  std::size_t cached = 0;   ///< freed, and held for the next array
  std::size_t limit = 0;    ///< on what is active, with weights where that was asked for
  std::size_t weights = 0;  ///< of all loaded models, mapped or not
  std::size_t mapped = 0;   ///< of these, what `active` does not count
};
Memory memory();

/// Bounds the weights of models, mapped or not, together with MLX's arrays; what would exceed it
/// fails as if memory had run out. nullopt: MLX's own limit for this machine, on arrays alone.
void set_memory_limit(std::optional<std::size_t> bytes);

/// What is left for KV caches, of which all together take `held` bytes now, besides weights and all
/// else that MLX holds.
std::size_t room_for_caches(std::size_t held);

/// The most that KV caches could ever take beside the loaded models.
std::size_t most_for_caches();

/// Gives what MLX and malloc hold of freed memory back to the system, where they hold any.
void give_back_free_memory() noexcept;

/// The room that a loaded model's weights take within the limit.
class WeightsRoom {
 public:
  /// Throws Error (OutOfMemory) where there is not so much.
  explicit WeightsRoom(std::size_t bytes);
  ~WeightsRoom();
  WeightsRoom(const WeightsRoom&) = delete;
  WeightsRoom& operator=(const WeightsRoom&) = delete;

 private:
  const std::size_t bytes_;
};

}  // namespace convergio::engine
