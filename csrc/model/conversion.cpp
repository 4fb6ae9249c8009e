#include "model/conversion.h"

#include <algorithm>
#include <cstring>
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
  /// `rows` of `cols` numbers from number `first` on; of a matrix that is stored transposed those
  /// of the model's.
  Part(const io::TensorView& tensor, const arch::MatrixSpec* transposed, std::int64_t first,
       std::int64_t rows, std::int64_t cols)
      : tensor_(tensor),
        floats_{.data = tensor.data + static_cast<std::size_t>(first) * io::size_of(tensor.dtype),
                .rows = rows,
                .cols = cols,
                .stored = checked_dtype(tensor.dtype)} {
    if (transposed != nullptr) {
      gather(*transposed, first / cols);
    }
  }
  ~Part() {
    if (copy_.empty()) {
      const auto bytes = static_cast<std::size_t>(floats_.rows * floats_.cols);
      tensor_.file->release(floats_.data, bytes * io::size_of(tensor_.dtype));
    }
  }
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;

  const kernels::Floats& floats() const { return floats_; }

 private:
  /// Rows from `first` on of a tensor (experts, cols, rows).
  void gather(const arch::MatrixSpec& matrix, std::int64_t first) {
    const auto item = static_cast<std::int64_t>(io::size_of(tensor_.dtype));
    const std::int64_t cols = matrix.cols;
    const std::int64_t outputs = matrix.rows;
    copy_.resize(static_cast<std::size_t>(floats_.rows * cols * item));
    for (std::int64_t c = 0; c < cols; ++c) {  // the order in which they lie in the file
      for (std::int64_t r = 0; r < floats_.rows; ++r) {
        const std::int64_t expert = (first + r) / outputs;
        const std::int64_t from = (expert * cols + c) * outputs + (first + r) % outputs;
        std::memcpy(copy_.data() + (r * cols + c) * item, tensor_.data + from * item,
                    static_cast<std::size_t>(item));
      }
    }
    floats_.data = copy_.data();
  }

  const io::TensorView& tensor_;
  kernels::Floats floats_;
  std::vector<std::byte> copy_;
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

const arch::MatrixSpec* Conversion::transposed(const std::string& name) const {
  const auto found = std::ranges::find_if(spec_.matrices, [&](const arch::MatrixSpec& one) {
    return one.form == arch::Form::InputsFirst && one.name == name;
  });
  return found == spec_.matrices.end() ? nullptr : &*found;
}

std::vector<std::int64_t> Conversion::shape(const std::string& name) const {
  std::vector<std::int64_t> dims = tensor(name).shape;
  if (transposed(name) != nullptr) {
    std::swap(dims[1], dims[2]);
  }
  return dims;
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
  const arch::MatrixSpec* matrix = transposed(name);
  const std::int64_t cols = matrix == nullptr ? count : matrix->cols;
  if (cols > 0 && (first % cols != 0 || count % cols != 0) && matrix != nullptr) {
    throw Error(ErrorKind::InvalidRequest,
                "[convert] '" + name + "' is stored transposed; give whole rows of it.");
  }
  const Part part(from, matrix, first, matrix == nullptr ? 1 : count / cols, cols);
  return kernels::cast(part.floats(), checked_dtype(dtype));
}

kernels::QuantizedRows Conversion::quantize(const std::string& name, std::int64_t first,
                                            std::int64_t count, io::Dtype dtype,
                                            const kernels::QuantizeOptions& options) const {
  const io::TensorView& from = tensor(name);
  if (from.shape.size() < 2 || numbers_of(from) == 0) {
    throw Error(ErrorKind::InvalidRequest,
                "[convert] '" + name + "' is no matrix; give one of two dimensions or more.");
  }
  const std::int64_t cols = shape(name).back();
  check_range(from, first, count, numbers_of(from) / cols);
  const Part part(from, transposed(name), first * cols, count, cols);
  return kernels::quantize(part.floats(), checked_dtype(dtype), options);
}

}  // namespace convergio::model
