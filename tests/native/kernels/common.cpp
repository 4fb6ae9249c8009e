#include "common.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <memory>

#include "io/files.h"
#include "kernels/mlx/mapped_arrays.h"
#include "mlx/ops.h"
#include "mlx/random.h"
#include "mlx/transforms.h"

namespace convergio::kernels::testing {

mx::array random(const mx::Shape& shape, std::uint64_t seed, mx::Dtype dtype) {
  mx::array a = mx::astype(mx::random::normal(shape, mx::float32, mx::random::key(seed)), dtype);
  mx::eval(a);
  return a;
}

mx::array heads_first(const mx::array& rows) {
  mx::array x = mx::expand_dims(mx::transpose(rows, {1, 0, 2}), 0);
  mx::eval(x);
  return x;
}

mx::array by_mlx(const std::function<mx::array()>& op) {
  const With off(Isa::Off);
  mx::array y = op();
  mx::eval(y);
  return y;
}

mx::array misaligned(const mx::array& a) {
  mx::array whole = mx::contiguous(a);
  mx::eval(whole);
  // MLX's contiguous() reads 8 bytes before an array, which every file of weights has there
  constexpr std::size_t kBegin = 9;
  std::string bytes(kBegin + whole.nbytes(), '\0');
  std::memcpy(bytes.data() + kBegin, whole.data<char>(), whole.nbytes());
  const TemporaryFolder folder;
  const auto file = std::make_shared<const io::MappedFile>(folder.write("odd", bytes));
  return MappedArrays(file, {}, device_binding()).tensor(kBegin, whole.shape(), whole.dtype());
}

std::vector<float> values(const mx::array& a) {
  mx::array whole = mx::contiguous(mx::astype(a, mx::float32));
  mx::eval(whole);
  const auto* p = whole.data<float>();
  return {p, p + whole.size()};
}

void check_close(const mx::array& seen, const mx::array& wanted, float tolerance,
                 const std::string& what, float size) {
  if (seen.shape() != wanted.shape()) {
    check::fail(__FILE__, __LINE__, what + ": the shapes differ");
    return;
  }
  const std::vector<float> a = values(seen);
  const std::vector<float> b = values(wanted);
  float largest = size;
  for (const float x : b) {
    largest = std::max(largest, std::abs(x));
  }
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!(std::abs(a[i] - b[i]) <= tolerance * largest)) {  // a NaN fails too
      check::fail(__FILE__, __LINE__,
                  what + ": item " + std::to_string(i) + " is " + std::to_string(a[i]) +
                      ", wanted " + std::to_string(b[i]));
      return;
    }
  }
}

Matrix quantized(int rows, int cols, Format format, int group, int bits, mx::Dtype scales,
                 std::uint64_t seed) {
  const std::vector<mx::array> parts =
      mx::quantize(random({rows, cols}, seed), group, bits, mode_name(format));
  const bool affine = format == Format::Affine;
  Matrix m{.data = misaligned(parts[0]),
           .scales = misaligned(affine ? mx::astype(parts[1], scales) : parts[1]),
           .biases = std::nullopt,
           .format = format,
           .group_size = group,
           .bits = bits,
           .rows = rows,
           .cols = cols};
  if (affine) {
    m.biases = misaligned(mx::astype(parts[2], scales));
  }
  return m;
}

Matrix dense(int rows, int cols, mx::Dtype dtype, std::uint64_t seed) {
  return {.data = misaligned(random({rows, cols}, seed, dtype)),
          .scales = std::nullopt,
          .biases = std::nullopt,
          .format = Format::Dense,
          .group_size = 0,
          .bits = 0,
          .rows = rows,
          .cols = cols};
}

std::vector<Kind> kinds() {
  std::vector<Kind> all{{Format::Mxfp4, 32, 4}, {Format::Mxfp8, 32, 8}, {Format::Nvfp4, 16, 4}};
  for (const int bits : {2, 3, 4, 5, 6, 8}) {
    for (const int group : {32, 64, 128}) {
      all.push_back({Format::Affine, group, bits});
    }
  }
  return all;
}

}  // namespace convergio::kernels::testing
