#include "model/forward.h"

#include <string>
#include <utility>

#include "io/error.h"
#include "io/mmap.h"
#include "kernels/linear.h"
#include "kernels/norm.h"
#include "kernels/precision.h"
#include "kernels/primitive.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace convergio::model {

namespace {

arch::Config read_config(const std::filesystem::path& folder) {
  const io::MappedFile file(folder / "config.json");
  return arch::Config::parse({reinterpret_cast<const char*>(file.data()), file.size()});
}

/// On CPU activations are float32: half precision would be slower and no smaller where it counts.
mx::Dtype activation_dtype(const arch::ModelSpec& spec, const io::Checkpoint& checkpoint) {
  if (mx::default_device() == mx::Device::cpu) {
    return mx::float32;
  }
  return Weights(checkpoint, mx::float32).dtype_of(spec.embedding);
}

}  // namespace

std::shared_ptr<const Model> Model::load(const std::filesystem::path& folder) {
  arch::Config config = read_config(folder);
  io::Checkpoint checkpoint = io::Checkpoint::open(folder);
  arch::ModelSpec spec = arch::ModelSpec::resolve(std::move(config), checkpoint);
  return std::shared_ptr<const Model>(new Model(std::move(spec), std::move(checkpoint)));
}

Model::Model(arch::ModelSpec spec, io::Checkpoint checkpoint)
    : spec_(std::move(spec)),
      checkpoint_(std::move(checkpoint)),
      dtype_(activation_dtype(spec_, checkpoint_)),
      kv_dtype_(keeps_half_cache() ? mx::float16 : dtype_),
      weights_(checkpoint_, dtype_),
      embedding_(weights_.matrix(spec_.embedding)),
      // rounded as the model saw it in training: to the dtype of its checkpoint
      embedding_multiplier_(mx::astype(mx::array(spec_.config.embedding_multiplier,
                                                 weights_.dtype_of(spec_.embedding)),
                                       mx::float32)
                                .item<float>()),
      final_norm_(weights_.norm(spec_.final_norm, spec_.config.family->norm_adds_one)) {
  if (spec_.head) {
    head_ = weights_.linear(*spec_.head);
  }
  for (const arch::LayerSpec& layer : spec_.layers) {
    blocks_.emplace_back(weights_, spec_, layer);
  }
}

mx::array Model::forward(const mx::array& ids, Cache& cache, const Interrupt& interrupt) const {
  mx::array x = kernels::embedding(ids, embedding_, dtype_, embedding_multiplier_);
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    x = blocks_[i](std::move(x), cache, static_cast<int>(i));
    if (interrupt) {
      mx::eval(x);
      interrupt();
    }
  }
  cache.commit(ids.shape(0));
  return kernels::rms_norm(x, final_norm_, spec_.config.norm_eps);
}

mx::array Model::logits(const mx::array& hidden) const {
  mx::array y = head_ ? kernels::linear(hidden, *head_) : kernels::linear(hidden, {embedding_, {}});
  const arch::Config& config = spec_.config;
  if (config.logits_divisor != 1.0F) {
    y = mx::divide(y, mx::array(config.logits_divisor, y.dtype()));
  }
  if (config.logits_softcap > 0.0F) {
    const mx::array cap(config.logits_softcap, y.dtype());
    y = mx::multiply(cap, mx::tanh(mx::divide(y, cap)));
  }
  return y;
}

bool Model::keeps_half_cache() { return kernels::own_kernels() && !kernels::exact(); }

Cache Model::make_cache(int length) const { return Cache(spec_, kv_dtype_, length); }

std::size_t Model::step_bytes() const {
  if (!head_) {
    return weight_bytes();
  }
  std::size_t table = embedding_.data.nbytes();
  for (const auto& part : {embedding_.scales, embedding_.biases}) {
    table += part ? part->nbytes() : 0;
  }
  return weight_bytes() - table + table / static_cast<std::size_t>(embedding_.rows);
}

std::size_t Model::kv_bytes_per_token() const {
  const auto row = static_cast<std::size_t>(2 * spec_.config.kv_heads * spec_.config.head_dim) *
                   mx::size_of(kv_dtype_);
  std::size_t bytes = 0;
  for (const arch::LayerSpec& layer : spec_.layers) {
    bytes += layer.window == 0 ? row : 0;
  }
  return bytes;
}

}  // namespace convergio::model
