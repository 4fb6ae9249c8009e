#include "kernels/mlx/metallib.h"

#include <dlfcn.h>

#include <cstdlib>
#include <stdexcept>
#include <string>
#include <system_error>

#include "mlx/backend/metal/metal.h"

namespace convergio::kernels {

namespace {

namespace fs = std::filesystem;

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

/// The folder of the file that this code was loaded from.
fs::path own_folder() {
  Dl_info found;
  return dladdr(reinterpret_cast<const void*>(&use_metallib), &found) == 0
             ? fs::path()
             : fs::path(found.dli_fname).parent_path();
}

}  // namespace

fs::path metallib(const fs::path& package, const char* given) {
  if (given != nullptr && *given != '\0') {
    if (!is_file(given)) {
      throw std::invalid_argument("[engine] CONVERGIO_MLX_METALLIB is '" + std::string(given) +
                                  "', which is no file; name the mlx.metallib of MLX's package.");
    }
    return given;
  }
  fs::path beside = package.parent_path() / "mlx" / "lib" / "mlx.metallib";
  return is_file(beside) ? beside : fs::path();
}

void use_metallib() {
  if (const fs::path found = metallib(own_folder(), std::getenv("CONVERGIO_MLX_METALLIB"));
      !found.empty()) {
    mlx::core::metal::set_metallib_path(found);
  }
}

}  // namespace convergio::kernels
