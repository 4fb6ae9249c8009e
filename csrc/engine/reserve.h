#pragma once

#include <array>
#include <cstddef>

namespace convergio::engine {

/// Memory set aside for what may not fail on this thread: MLX frees a graph with containers of its
/// own, in destructors, and libstdc++ lists a folder in a noexcept function, either of which ends
/// the process where there is no memory. While a Reserve lives, `operator new` of its thread takes
/// from it before it throws std::bad_alloc; other threads, and the new_handler of the host program,
/// are left alone.
class Reserve {
 public:
  Reserve();
  ~Reserve();
  Reserve(const Reserve&) = delete;
  Reserve& operator=(const Reserve&) = delete;

  /// Sets aside again what was used, as far as there is memory.
  void refill() noexcept;

  /// Lets go of one block; false where none is left.
  bool release_one() noexcept;

 private:
  static constexpr std::size_t kBlocks = 16;
  std::array<void*, kBlocks> blocks_{};
  std::size_t held_ = 0;
  Reserve* outer_ = nullptr;
};

/// Gives a Reserve to the thread that computes this one's graphs on a CPU, where MLX frees arrays
/// in destructors too; fills it up again where the thread has one. Throws std::bad_alloc.
void reserve_for_graphs();

}  // namespace convergio::engine
