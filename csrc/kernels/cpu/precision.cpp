#include "kernels/cpu/precision.h"

#include <atomic>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>

namespace convergio::kernels {

namespace {

bool chosen() {
  const char* wanted = std::getenv("CONVERGIO_MLX_EXACT");
  const std::string_view text = wanted == nullptr ? "" : wanted;
  if (!text.empty() && text != "0" && text != "1") {
    throw std::invalid_argument("[precision] CONVERGIO_MLX_EXACT is '" + std::string(text) +
                                "' but must be 0 or 1.");
  }
  return text == "1";
}

std::atomic<bool>& current() {
  static std::atomic<bool> value{chosen()};
  return value;
}

}  // namespace

bool exact() { return current().load(std::memory_order_relaxed); }

void force_exact(bool exact) { current().store(exact, std::memory_order_relaxed); }

}  // namespace convergio::kernels
