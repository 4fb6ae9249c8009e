#pragma once

#include <cstddef>
#include <memory>
#include <optional>

#include "mlx/array.h"

namespace convergio::kernels {

namespace mx = mlx::core;

/// Makes arrays over the bytes of a mapped file, without a copy where the device allows it.
/// CPU: in place, whatever the alignment. Metal: in place where the mapping can be bound and the
/// tensor's offset is a multiple of its item size, else a copy. CUDA: a copy.
class MappedArrays {
 public:
  /// `data` is page-aligned and `bytes` long; `owner` keeps it mapped, for as long as any array.
  MappedArrays(const std::byte* data, std::size_t bytes, std::shared_ptr<const void> owner);

  /// An array over the bytes at `data`, which lie in the file.
  mx::array tensor(const std::byte* data, const mx::Shape& shape, mx::Dtype dtype) const;

 private:
  const std::byte* data_;
  std::shared_ptr<const void> owner_;
  std::optional<mx::array> whole_;  ///< Metal: the file as one buffer
};

}  // namespace convergio::kernels
