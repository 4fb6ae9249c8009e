#include "kernels/mlx/mapped_arrays.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <numeric>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "kernels/cpu/pool.h"
#include "kernels/mlx/primitive.h"
#include "mlx/allocator.h"
#include "mlx/device.h"

namespace convergio::kernels {

namespace {

using mx::allocator::Buffer;
using mx::allocator::Data;

constexpr std::int64_t kPart = std::int64_t{4} << 20;  ///< bytes of a tensor that are read at once

std::size_t bytes_of(const mx::Shape& shape, mx::Dtype dtype) {
  return std::accumulate(
      shape.begin(), shape.end(), static_cast<std::size_t>(mx::size_of(dtype)),
      [](std::size_t product, int dim) { return product * static_cast<std::size_t>(dim); });
}

bool maps_weights() {
  const char* given = std::getenv("CONVERGIO_MLX_MAP_WEIGHTS");
  const std::string_view text = given == nullptr ? "" : given;
  if (!text.empty() && text != "0" && text != "1") {
    throw std::invalid_argument("[weights] CONVERGIO_MLX_MAP_WEIGHTS is '" + std::string(text) +
                                "', which must be 0 or 1.");
  }
  return text != "0";
}

#ifdef __APPLE__

io::Binding apple_binding() {
  const auto& gpu = mx::device_info(mx::Device::gpu);
  if (std::get<std::string>(gpu.at("device_name")) == "Apple Paravirtual device") {
    return {};
  }
  return {.kind = io::Binding::Kind::Pages,
          .page = io::page_size(),
          .longest = std::get<std::size_t>(gpu.at("max_buffer_length"))};
}

/// One buffer of MLX's over mapped pages; without memory where Metal makes none, or another.
std::optional<Data> bound(const std::byte* data, std::size_t bytes,
                          std::shared_ptr<const void> owner) {
  // MLX takes a mutable pointer; it writes to buffers it owns alone
  Buffer buffer = mx::allocator::make_buffer(const_cast<std::byte*>(data), bytes);
  if (buffer.ptr() == nullptr) {
    return std::nullopt;
  }
  if (buffer.raw_ptr() != data || mx::allocator::allocator().size(buffer) != bytes) {
    mx::allocator::release(buffer);
    return std::nullopt;
  }
  return Data(buffer, [owner = std::move(owner)](Buffer mine) { mx::allocator::release(mine); });
}

#else

/// This build's CPU allocator keeps the size of a block in the 8 bytes before its start, so a
/// Buffer holds the pointer less 8. Nothing reads that size of a block MLX does not own.
constexpr std::size_t kAllocatorHeader = 8;

std::optional<Data> bound(const std::byte* data, std::size_t, std::shared_ptr<const void> owner) {
  // MLX takes a mutable pointer; it writes to buffers it owns alone
  void* block = const_cast<std::byte*>(data - kAllocatorHeader);
  return Data(Buffer(block), [owner = std::move(owner)](Buffer) {});
}

#endif

}  // namespace

io::Binding device_binding() {
  static const bool maps = maps_weights();
  if (!maps) {
    return {};
  }
#ifdef __APPLE__
  return apple_binding();
#else
  return {.kind = mx::default_device() == mx::Device::gpu ? io::Binding::Kind::Nothing
                                                          : io::Binding::Kind::Anywhere};
#endif
}

MappedArrays::MappedArrays(std::shared_ptr<const io::MappedFile> file,
                           std::span<const io::Extent> tensors, const io::Binding& binding)
    : file_(std::move(file)),
      anywhere_(binding.kind == io::Binding::Kind::Anywhere),
      plan_(tensors, binding) {
  for (const io::MappingPlan::Buffer& each : plan_.buffers()) {
    std::optional<mx::array>& buffer = buffers_.emplace_back();
    if (std::optional<Data> data = bound(file_->data() + each.begin, each.bytes, file_)) {
      buffer = mx::array(*std::move(data), {1}, mx::uint8);
    }
  }
}

mx::array MappedArrays::tensor(std::size_t begin, const mx::Shape& shape, mx::Dtype dtype) const {
  const std::size_t bytes = bytes_of(shape, dtype);
  if (anywhere_ && bytes > 0) {
    return mx::array(*bound(file_->data() + begin, bytes, file_), shape, dtype);
  }
  const std::size_t item = mx::size_of(dtype);
  const io::MappingPlan::Buffer* found =
      plan_.buffer_of({.begin = begin, .bytes = bytes, .item = item});
  const std::optional<mx::array>* buffer =
      found == nullptr ? nullptr
                       : &buffers_[static_cast<std::size_t>(found - plan_.buffers().data())];
  if (buffer == nullptr || !*buffer) {
    return read(begin, shape, dtype);
  }
  mx::array window(shape, dtype, nullptr, {});
  window.copy_shared_buffer(**buffer, window.strides(), {true, true, shape.size() <= 1},
                            window.size(),
                            static_cast<std::int64_t>((begin - found->begin) / item));
  window.set_status(mx::array::Status::available);
  return window;
}

mx::array MappedArrays::read(std::size_t begin, const mx::Shape& shape, mx::Dtype dtype) const {
  const auto bytes = static_cast<std::int64_t>(bytes_of(shape, dtype));
  Data block = memory(static_cast<std::size_t>(bytes));
  auto* to = static_cast<std::byte*>(block.buffer().raw_ptr());
  parallel((bytes + kPart - 1) / kPart, [&](std::int64_t part) {
    const std::int64_t from = part * kPart;
    file_->read(begin + static_cast<std::size_t>(from),
                static_cast<std::size_t>(std::min(kPart, bytes - from)), to + from);
  });
  return mx::array(std::move(block), shape, dtype);
}

}  // namespace convergio::kernels
