#include "engine/llguidance.h"

#include <dlfcn.h>

#include <memory>
#include <mutex>
#include <string_view>
#include <unordered_map>

#include "io/error.h"

namespace convergio::engine::llg {

namespace {

constexpr std::string_view kVersion = "llguidance@1.9.";

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorKind::Unavailable,
              "[structured] " + what + "; install it with `pip install 'llguidance>=1.9,<1.10'`.");
}

template <typename Function>
void find(void* handle, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(handle, name));
  if (function == nullptr) {
    refuse(std::string("the library of llguidance has no function ") + name);
  }
}

/// "llguidance@1.9.1 derivre@0.3.9" → "1.9.1"
std::string_view number_of(std::string_view version) {
  version = version.substr(0, version.find(' '));
  return version.substr(version.find('@') + 1);
}

Library open(const std::string& path) {
  // never closed: threads may be in it for as long as the process lives
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* reason = dlerror();
    refuse(std::string("the library of llguidance cannot be loaded (") +
           (reason == nullptr ? path.c_str() : reason) + ")");
  }
  Library library{};
  find(handle, "llg_get_version", library.get_version);
  const std::string_view version = library.get_version();
  if (!version.starts_with(kVersion)) {
    refuse("llguidance is version " + std::string(number_of(version)) + ", and 1.9 is needed");
  }
  find(handle, "llg_new_tokenizer_v2", library.new_tokenizer_v2);
  find(handle, "llg_free_tokenizer", library.free_tokenizer);
  find(handle, "llg_constraint_init_set_defaults", library.constraint_init_set_defaults);
  find(handle, "llg_validate_grammar", library.validate_grammar);
  find(handle, "llg_new_matcher", library.new_matcher);
  find(handle, "llg_clone_matcher", library.clone_matcher);
  find(handle, "llg_free_matcher", library.free_matcher);
  find(handle, "llg_matcher_consume_tokens", library.matcher_consume_tokens);
  find(handle, "llg_matcher_get_error", library.matcher_get_error);
  find(handle, "llg_matcher_is_stopped", library.matcher_is_stopped);
  find(handle, "llg_matcher_is_accepting", library.matcher_is_accepting);
  find(handle, "llg_matcher_compute_ff_tokens", library.matcher_compute_ff_tokens);
  find(handle, "llg_matcher_get_mask_byte_size", library.matcher_get_mask_byte_size);
  find(handle, "llg_matcher_compute_mask_into", library.matcher_compute_mask_into);
  find(handle, "llg_matcher_validate_tokens", library.matcher_validate_tokens);
  return library;
}

}  // namespace

const Library& load(const std::string& path) {
  static std::mutex loading;
  static auto& loaded = *new std::unordered_map<std::string, std::unique_ptr<const Library>>;
  const std::scoped_lock lock(loading);
  auto& library = loaded[path];
  if (library == nullptr) {
    library = std::make_unique<const Library>(open(path));
  }
  return *library;
}

}  // namespace convergio::engine::llg
