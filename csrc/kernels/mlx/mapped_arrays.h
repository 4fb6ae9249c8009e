#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "io/mapping_plan.h"
#include "io/mmap.h"
#include "mlx/array.h"

namespace convergio::kernels {

namespace mx = mlx::core;

/// What MLX's default device binds of a mapped file. CPU: any byte. Metal: whole pages, on a
/// virtual machine nothing (its GPU shows old data through such buffers). CUDA: nothing, as with
/// CONVERGIO_MLX_MAP_WEIGHTS=0 in the environment. Throws std::invalid_argument where that is
/// something else than 0 or 1.
io::Binding device_binding();

/// Makes arrays of a mapped file's tensors: in place where the device can bind them, else read into
/// MLX's memory, several parts of a tensor at once. Nothing is both.
class MappedArrays {
 public:
  /// `tensors`: where all those of the file lie.
  MappedArrays(std::shared_ptr<const io::MappedFile> file, std::span<const io::Extent> tensors,
               const io::Binding& binding);

  /// An array over the bytes of the file from offset `begin` on, which keeps the file mapped where
  /// it is bound in place. Throws what memory() and MappedFile::read() throw.
  mx::array tensor(std::size_t begin, const mx::Shape& shape, mx::Dtype dtype) const;

 private:
  mx::array read(std::size_t begin, const mx::Shape& shape, mx::Dtype dtype) const;

  std::shared_ptr<const io::MappedFile> file_;
  bool anywhere_;
  io::MappingPlan plan_;
  std::vector<std::optional<mx::array>> buffers_;  ///< the plan's; nullopt: the device refused
};

}  // namespace convergio::kernels
