#include "kernels/mlx/forced_dtype.h"

#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>

namespace convergio::kernels {

namespace {

std::optional<mlx::core::Dtype> chosen() {
  const char* given = std::getenv("CONVERGIO_MLX_DTYPE");
  const std::string_view text = given == nullptr ? "" : given;
  if (text.empty()) {
    return std::nullopt;
  }
  if (text == "float32") {
    return mlx::core::float32;
  }
  if (text == "float16") {
    return mlx::core::float16;
  }
  if (text == "bfloat16") {
    return mlx::core::bfloat16;
  }
  throw std::invalid_argument("[precision] CONVERGIO_MLX_DTYPE is '" + std::string(text) +
                              "', but must be float32, float16 or bfloat16.");
}

}  // namespace

std::optional<mlx::core::Dtype> forced_dtype() {
  static const std::optional<mlx::core::Dtype> dtype = chosen();
  return dtype;
}

}  // namespace convergio::kernels
