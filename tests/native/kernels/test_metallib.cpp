#include "kernels/mlx/metallib.h"

#include <filesystem>
#include <stdexcept>
#include <string>

#include "check.h"
#include "io/files.h"

namespace convergio::kernels::testing {

namespace {

namespace fs = std::filesystem;

/// Two packages side by side, as in site-packages and in a frozen program.
struct Packages {
  TemporaryFolder root;
  fs::path ours = root.path() / "convergio_mlx";
  fs::path kernels = root.path() / "mlx" / "lib" / "mlx.metallib";

  explicit Packages(bool with_kernels) {
    fs::create_directories(ours);
    fs::create_directories(kernels.parent_path());
    if (with_kernels) {
      root.write("mlx/lib/mlx.metallib", "MTLB");
    }
  }
};

}  // namespace

TEST(metal_kernels_are_those_of_the_package_beside_ours) {
  const Packages made(/*with_kernels=*/true);
  CHECK(metallib(made.ours, nullptr) == made.kernels);
  CHECK(metallib(made.ours, "") == made.kernels);
}

TEST(without_that_package_mlx_looks_for_its_kernels_itself) {
  const Packages made(/*with_kernels=*/false);
  CHECK(metallib(made.ours, nullptr).empty());
  CHECK(metallib("", nullptr).empty());
  fs::create_directory(made.kernels);  // a folder of that name is no metallib
  CHECK(metallib(made.ours, nullptr).empty());
}

TEST(the_environment_names_other_metal_kernels) {
  const Packages made(/*with_kernels=*/true);
  const fs::path other = made.root.write("other.metallib", "MTLB");
  CHECK(metallib(made.ours, other.c_str()) == other);
  std::string said;
  try {
    metallib(made.ours, "/nowhere/mlx.metallib");
  } catch (const std::invalid_argument& error) {
    said = error.what();
  }
  CHECK_EQ(said,
           "[engine] CONVERGIO_MLX_METALLIB is '/nowhere/mlx.metallib', which is no file; name the "
           "mlx.metallib of MLX's package.");
}

}  // namespace convergio::kernels::testing
