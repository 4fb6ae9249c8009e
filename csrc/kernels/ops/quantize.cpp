#include "kernels/ops/quantize.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <limits>
#include <optional>
#include <utility>

#include "kernels/cpu/cores.h"
#include "kernels/mlx/lasting_threads.h"
#include "kernels/mlx/primitive.h"
#include "kernels/ops/quantize_fp4.h"
#include "mlx/device.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace convergio::kernels {

namespace {

/// A copy: MLX's own kernels may take for granted that numbers are aligned.
mx::array loaded(const Floats& given, mx::Dtype dtype) {
  const std::size_t bytes =
      static_cast<std::size_t>(given.rows * given.cols) * mx::size_of(given.stored);
  mx::allocator::Data block = memory(bytes);
  std::memcpy(block.buffer().raw_ptr(), given.data, bytes);
  const mx::Shape shape{static_cast<int>(given.rows), static_cast<int>(given.cols)};
  return mx::astype(mx::array(std::move(block), shape, given.stored), dtype);
}

std::vector<std::byte> bytes_of(mx::array array) {
  array = mx::contiguous(array);
  mx::eval(array);
  const auto* data = array.data<std::byte>();
  return {data, data + array.nbytes()};
}

float least_normal(mx::Dtype dtype) {
  return dtype == mx::float16 ? 0x1p-14F : std::numeric_limits<float>::min();
}

/// By our own loop; nullopt where there is none for the mode, or it leaves the numbers to MLX.
std::optional<QuantizedRows> quantize_here(const Floats& given, mx::Dtype dtype,
                                           const QuantizeOptions& options) {
  if (!is_fp4(options.mode) || mx::default_device() != mx::Device::cpu) {
    return std::nullopt;
  }
  const mx::array numbers = mx::contiguous(mx::astype(loaded(given, dtype), mx::float32));
  mx::eval(numbers);
  const auto count = static_cast<std::size_t>(given.rows * given.cols);
  QuantizedRows rows;
  rows.weight.resize(count / 2);
  rows.scales.resize(count / static_cast<std::size_t>(options.group_size));
  const bool done = quantize_fp4(options.mode, {numbers.data<float>(), count}, least_normal(dtype),
                                 reinterpret_cast<std::uint8_t*>(rows.weight.data()),
                                 reinterpret_cast<std::uint8_t*>(rows.scales.data()));
  return done ? std::optional(std::move(rows)) : std::nullopt;
}

QuantizedRows quantize_share(const Floats& given, mx::Dtype dtype, const QuantizeOptions& options) {
  if (std::optional<QuantizedRows> rows = quantize_here(given, dtype, options)) {
    return *std::move(rows);
  }
  const std::vector<mx::array> parts =
      mx::quantize(loaded(given, dtype), options.group_size, options.bits, options.mode);
  mx::eval(parts);
  return {.weight = bytes_of(parts[0]),
          .scales = bytes_of(parts[1]),
          .biases = parts.size() > 2 ? bytes_of(parts[2]) : std::vector<std::byte>{}};
}

void append(std::vector<std::byte>& all, const std::vector<std::byte>& part) {
  all.insert(all.end(), part.begin(), part.end());
}

}  // namespace

std::vector<std::byte> cast(const Floats& given, mx::Dtype dtype) {
  if (given.stored == dtype) {
    return {given.data,
            given.data + given.rows * given.cols * static_cast<std::int64_t>(mx::size_of(dtype))};
  }
  std::vector<std::byte> bytes;
  run_on_lasting_threads({[&] { bytes = bytes_of(loaded(given, dtype)); }});
  return bytes;
}

QuantizedRows quantize(const Floats& given, mx::Dtype dtype, const QuantizeOptions& options) {
  const std::int64_t threads = mx::default_device() == mx::Device::cpu ? thread_count() : 1;
  const std::int64_t shares =
      std::clamp<std::int64_t>(threads, 1, std::max<std::int64_t>(1, given.rows));
  const std::int64_t row_bytes = given.cols * static_cast<std::int64_t>(mx::size_of(given.stored));
  std::vector<QuantizedRows> parts(static_cast<std::size_t>(shares));
  std::vector<std::function<void()>> jobs;
  for (std::int64_t i = 0; i < shares; ++i) {
    const std::int64_t begin = given.rows * i / shares;
    const Floats share{.data = given.data + begin * row_bytes,
                       .rows = given.rows * (i + 1) / shares - begin,
                       .cols = given.cols,
                       .stored = given.stored};
    QuantizedRows& part = parts[static_cast<std::size_t>(i)];
    jobs.emplace_back(
        [&part, share, dtype, &options] { part = quantize_share(share, dtype, options); });
  }
  run_on_lasting_threads(std::move(jobs));
  QuantizedRows all;
  for (const QuantizedRows& one : parts) {
    append(all.weight, one.weight);
    append(all.scales, one.scales);
    append(all.biases, one.biases);
  }
  return all;
}

}  // namespace convergio::kernels
