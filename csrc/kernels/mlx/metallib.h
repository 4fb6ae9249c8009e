#pragma once

#include <filesystem>

namespace convergio::kernels {

/// Where MLX's Metal kernels are: the file that `given`, of the environment, names, else
/// mlx/lib/mlx.metallib beside this package's folder, else an empty path, where MLX looks beside
/// its own library. Throws std::invalid_argument where `given` names no file.
std::filesystem::path metallib(const std::filesystem::path& package, const char* given);

/// Tells MLX of the file by CONVERGIO_MLX_METALLIB and by where this extension lies; before MLX's
/// first operation. Throws as metallib() does.
void use_metallib();

}  // namespace convergio::kernels
