#include "engine/failure.h"

#include <array>
#include <new>
#include <string>
#include <string_view>

namespace convergio::engine {

namespace {

Error out_of_memory(std::string_view said) {
  return Error(ErrorKind::OutOfMemory,
               "[engine] memory ran out (" + std::string(said) +
                   "); use a shorter prompt, a smaller max_tokens or a smaller model, or close "
                   "other programs.");
}

bool tells_of_memory(std::string_view message) {
  // Metal's and CUDA's words for it; MLX's CPU threads pass on no more than what() says
  constexpr std::array<std::string_view, 6> kWords{
      "[malloc]", "::malloc]", "out of memory", "OutOfMemory", "Insufficient Memory", "bad_alloc"};
  for (const std::string_view word : kWords) {
    if (message.find(word) != std::string_view::npos) {
      return true;
    }
  }
  return false;
}

/// Made before there is no memory to make it with; to copy an Error takes none.
const Error kNoMemoryToSay = out_of_memory("std::bad_alloc");

Error classified(const std::exception_ptr& failure, ErrorKind fallback) {
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    return error;
  } catch (const std::bad_alloc& error) {
    return out_of_memory(error.what());
  } catch (const std::exception& error) {
    const std::string message = error.what();
    if (tells_of_memory(message)) {
      return out_of_memory(message);
    }
    return Error(fallback, "[engine] MLX failed: " + message + "; the next request starts afresh.");
  } catch (...) {
    return Error(fallback, "[engine] failed for a reason without a name.");
  }
}

}  // namespace

Error classify(const std::exception_ptr& failure, ErrorKind fallback) noexcept {
  try {
    return classified(failure, fallback);
  } catch (...) {
    return kNoMemoryToSay;
  }
}

}  // namespace convergio::engine
