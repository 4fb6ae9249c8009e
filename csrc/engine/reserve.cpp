#include "engine/reserve.h"

#include <cstdlib>
#include <mutex>
#include <new>
#include <utility>

namespace convergio::engine {

namespace {

constexpr std::size_t kBlockBytes = std::size_t{64} << 10;  // small enough not to be mapped alone

thread_local Reserve* mine = nullptr;
std::new_handler before = nullptr;

void out_of_memory() {
  if (mine != nullptr && mine->release_one()) {
    return;  // operator new tries again
  }
  if (before == nullptr) {
    throw std::bad_alloc();
  }
  before();
}

}  // namespace

Reserve::Reserve() {
  static std::once_flag installed;
  std::call_once(installed, [] { before = std::set_new_handler(out_of_memory); });
  refill();
  outer_ = std::exchange(mine, this);
}

Reserve::~Reserve() {
  mine = outer_;
  while (release_one()) {
  }
}

void Reserve::refill() noexcept {
  while (held_ < kBlocks) {
    void* block = std::malloc(kBlockBytes);
    if (block == nullptr) {
      return;
    }
    blocks_[held_++] = block;
  }
}

bool Reserve::release_one() noexcept {
  if (held_ == 0) {
    return false;
  }
  std::free(blocks_[--held_]);
  return true;
}

}  // namespace convergio::engine
