#include "model/conversion.h"

#include <limits>
#include <optional>
#include <utility>

#include "io/error.h"
#include "model/float_dtype.h"
#include "model/forward.h"

namespace convergio::model {

namespace {

mx::Dtype checked_dtype(io::Dtype dtype) {
  const std::optional<mx::Dtype> floats = float_dtype(dtype);
  if (!floats) {
    throw Error(ErrorKind::InvalidRequest, "[convert] " + std::string(io::name_of(dtype)) +
                                               " numbers are no floats; give F32, F16 or BF16.");
  }
  return *floats;
}

/// Numbers of a tensor, which leave memory when this goes.
class Part {
 public:
  Part(const io::TensorView& tensor, std::int64_t first, std::int64_t rows, std::int64_t cols)
      : tensor_(tensor),
        bytes_(static_cast<std::size_t>(rows * cols) * io::size_of(tensor.dtype)),
        floats_{.data = tensor.data + static_cast<std::size_t>(first) * io::size_of(tensor.dtype),
                .rows = rows,
                .cols = cols,
                .stored = checked_dtype(tensor.dtype)} {}
  ~Part() { tensor_.file->release(floats_.data, bytes_); }
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;

  const kernels::Floats& floats() const { return floats_; }

 private:
  const io::TensorView& tensor_;
  std::size_t bytes_;
  kernels::Floats floats_;
};

std::int64_t numbers_of(const io::TensorView& tensor) {
  return static_cast<std::int64_t>(tensor.bytes / io::size_of(tensor.dtype));
}

void check_range(const io::TensorView& tensor, std::int64_t first, std::int64_t count,
                 std::int64_t held) {
  if (first < 0 || count < 0 || first > held || count > held - first ||
      count > std::numeric_limits<int>::max()) {
    throw Error(ErrorKind::InvalidRequest, "[convert] '" + tensor.name + "' has " +
                                               std::to_string(held) + ", not " +
                                               std::to_string(count) + " from " +
                                               std::to_string(first) + "; give a part of it.");
  }
}

}  // namespace

Conversion Conversion::open(const std::filesystem::path& folder) {
  arch::Config config = read_config(folder);
  io::Checkpoint checkpoint = io::Checkpoint::open(folder);
  arch::ModelSpec spec = arch::ModelSpec::resolve(std::move(config), checkpoint);
  checkpoint.check_undamaged();
  return Conversion(std::move(spec), std::move(checkpoint));
}

const io::TensorView& Conversion::tensor(const std::string& name) const {
  const io::TensorView* found = checkpoint_.find(name);
  if (found == nullptr) {
    throw Error(ErrorKind::InvalidRequest,
                "[convert] there is no tensor '" + name + "'; give one of the checkpoint's.");
  }
  return *found;
}

std::vector<std::byte> Conversion::cast(const std::string& name, std::int64_t first,
                                        std::int64_t count, io::Dtype dtype) const {
  const io::TensorView& from = tensor(name);
  check_range(from, first, count, numbers_of(from));
  const Part part(from, first, 1, count);
  return kernels::cast(part.floats(), checked_dtype(dtype));
}

kernels::QuantizedRows Conversion::quantize(const std::string& name, std::int64_t first,
                                            std::int64_t count, io::Dtype dtype,
                                            const kernels::QuantizeOptions& options) const {
  const io::TensorView& from = tensor(name);
  if (from.shape.size() < 2 || from.shape.back() == 0) {
    throw Error(ErrorKind::InvalidRequest,
                "[convert] '" + name + "' is no matrix; give one of two dimensions or more.");
  }
  const std::int64_t cols = from.shape.back();
  check_range(from, first, count, numbers_of(from) / cols);
  const Part part(from, first * cols, count, cols);
  return kernels::quantize(part.floats(), checked_dtype(dtype), options);
}

}  // namespace convergio::model
