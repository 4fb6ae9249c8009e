#include "kernels/mlx/mapped_arrays.h"

#include <cstring>
#include <functional>
#include <numeric>
#include <utility>

#include "kernels/mlx/primitive.h"
#include "mlx/allocator.h"
#include "mlx/device.h"

namespace convergio::kernels {

namespace {

using mx::allocator::Buffer;
using mx::allocator::Data;

mx::array copied(const std::byte* data, const mx::Shape& shape, mx::Dtype dtype) {
  const std::size_t bytes = std::accumulate(
      shape.begin(), shape.end(), static_cast<std::size_t>(mx::size_of(dtype)),
      [](std::size_t product, int dim) { return product * static_cast<std::size_t>(dim); });
  Data block = memory(bytes);
  std::memcpy(block.buffer().raw_ptr(), data, bytes);
  return mx::array(std::move(block), shape, dtype);
}

#ifndef __APPLE__

bool on_gpu() { return mx::default_device() == mx::Device::gpu; }

/// This build's CPU allocator keeps the size of a block in the 8 bytes before its start, so a
/// Buffer holds the pointer less 8. Nothing reads that size of a block MLX does not own.
constexpr std::size_t kAllocatorHeader = 8;

mx::array in_place(const std::byte* data, const mx::Shape& shape, mx::Dtype dtype,
                   std::shared_ptr<const void> owner) {
  // MLX takes a mutable pointer; it writes to buffers it owns alone
  void* block = const_cast<std::byte*>(data - kAllocatorHeader);
  return mx::array(Data(Buffer(block), [owner = std::move(owner)](Buffer) {}), shape, dtype);
}

#endif

}  // namespace

#ifdef __APPLE__

MappedArrays::MappedArrays(const std::byte* data, std::size_t bytes,
                           std::shared_ptr<const void> owner)
    : data_(data), owner_(std::move(owner)) {
  // Metal binds whole pages: the file becomes one buffer, each tensor a window into it
  Buffer buffer = mx::allocator::make_buffer(const_cast<std::byte*>(data), bytes);
  if (buffer.ptr() != nullptr) {
    whole_ = mx::array(Data(buffer, [owner = owner_](Buffer b) { mx::allocator::release(b); }), {1},
                       mx::uint8);
  }
}

mx::array MappedArrays::tensor(const std::byte* data, const mx::Shape& shape,
                               mx::Dtype dtype) const {
  const auto offset = static_cast<std::size_t>(data - data_);
  if (!whole_ || offset % mx::size_of(dtype) != 0) {
    return copied(data, shape, dtype);
  }
  mx::array window(shape, dtype, nullptr, {});
  window.copy_shared_buffer(*whole_, window.strides(), {true, true, shape.size() <= 1},
                            window.size(), static_cast<std::int64_t>(offset / mx::size_of(dtype)));
  window.set_status(mx::array::Status::available);
  return window;
}

#else

MappedArrays::MappedArrays(const std::byte* data, std::size_t, std::shared_ptr<const void> owner)
    : data_(data), owner_(std::move(owner)) {}

mx::array MappedArrays::tensor(const std::byte* data, const mx::Shape& shape,
                               mx::Dtype dtype) const {
  return on_gpu() ? copied(data, shape, dtype) : in_place(data, shape, dtype, owner_);
}

#endif

}  // namespace convergio::kernels
