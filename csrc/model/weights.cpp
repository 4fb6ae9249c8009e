#include "model/weights.h"

#include "io/error.h"
#include "mlx/ops.h"

namespace convergio::model {

namespace {

mx::Dtype mlx_dtype(const io::TensorView& tensor) {
  switch (tensor.dtype) {
    case io::Dtype::F32:
      return mx::float32;
    case io::Dtype::F16:
      return mx::float16;
    case io::Dtype::BF16:
      return mx::bfloat16;
    case io::Dtype::U32:
      return mx::uint32;
    case io::Dtype::U8:
      return mx::uint8;
    default:
      throw Error(ErrorKind::Internal, "[weights] '" + tensor.name + "' is " +
                                           std::string(io::name_of(tensor.dtype)) +
                                           ", which no weight can be.");
  }
}

kernels::Format format_of(const arch::Quantization& quantization) {
  if (quantization.mode == "mxfp4") return kernels::Format::Mxfp4;
  if (quantization.mode == "mxfp8") return kernels::Format::Mxfp8;
  if (quantization.mode == "nvfp4") return kernels::Format::Nvfp4;
  return kernels::Format::Affine;
}

}  // namespace

Weights::Weights(const io::Checkpoint& checkpoint, mx::Dtype activations)
    : checkpoint_(checkpoint), activations_(activations) {}

mx::array Weights::tensor(const std::string& name) {
  const io::TensorView& view = *checkpoint_.find(name);
  const auto [file, is_new] =
      files_.try_emplace(view.file.get(), view.file->data(), view.file->size(), view.file);
  const mx::Shape shape(view.shape.begin(), view.shape.end());
  return file->second.tensor(view.data, shape, mlx_dtype(view));
}

mx::array Weights::vector(const std::string& name) {
  return mx::astype(mx::copy(tensor(name)), activations_);
}

kernels::Matrix Weights::matrix(const arch::MatrixSpec& spec) {
  kernels::Matrix matrix{.data = tensor(spec.name + ".weight"),
                         .scales = {},
                         .biases = {},
                         .rows = spec.rows,
                         .cols = spec.cols};
  if (spec.quantization) {
    matrix.format = format_of(*spec.quantization);
    matrix.group_size = spec.quantization->group_size;
    matrix.bits = spec.quantization->bits;
    matrix.scales = tensor(spec.name + ".scales");
    if (matrix.format == kernels::Format::Affine) {
      matrix.biases = tensor(spec.name + ".biases");
    }
  }
  return matrix;
}

Linear Weights::linear(const arch::MatrixSpec& spec) {
  Linear linear{.weight = matrix(spec), .bias = {}};
  if (spec.bias) {
    linear.bias = vector(spec.name + ".bias");
  }
  return linear;
}

mx::array Weights::norm(const arch::NormSpec& spec, bool adds_one) {
  const mx::array weight = vector(spec.name + ".weight");
  return adds_one ? mx::add(weight, mx::array(1.0F, activations_)) : weight;
}

mx::Dtype Weights::dtype_of(const arch::MatrixSpec& spec) const {
  const bool affine = spec.quantization && spec.quantization->mode == "affine";
  const io::TensorView& view = *checkpoint_.find(spec.name + (affine ? ".scales" : ".weight"));
  // mx and nv formats keep no float: such models are published for bfloat16
  return spec.quantization && !affine ? mx::bfloat16 : mlx_dtype(view);
}

}  // namespace convergio::model
