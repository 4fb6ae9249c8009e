#include "model/forward.h"

#include <string>
#include <utility>

#include "io/error.h"
#include "io/file.h"
#include "io/json.h"
#include "kernels/cpu/precision.h"
#include "kernels/mlx/forced_dtype.h"
#include "kernels/mlx/policy.h"
#include "kernels/mlx/primitive.h"
#include "kernels/ops/activation.h"
#include "kernels/ops/embedding.h"
#include "kernels/ops/linear.h"
#include "kernels/ops/norm.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace convergio::model {

arch::Config read_config(const std::filesystem::path& folder) {
  return arch::Config::parse(io::read_file(folder / "config.json", io::JsonLimits{}.max_bytes));
}

namespace {

/// On CPU activations are float32: half precision would be slower and no smaller where it counts.
mx::Dtype activation_dtype(const arch::ModelSpec& spec, const io::Checkpoint& checkpoint) {
  if (const std::optional<mx::Dtype> forced = kernels::forced_dtype()) {
    return *forced;
  }
  if (mx::default_device() == mx::Device::cpu) {
    return mx::float32;
  }
  const mx::Dtype own = WeightLoader(checkpoint, mx::float32).dtype_of(spec.embedding);
  const bool halved = own == mx::bfloat16 && spec.config.family->fits_float16;
  return halved && kernels::emulates_bfloat16() ? mx::float16 : own;
}

}  // namespace

std::shared_ptr<const Model> Model::load(const std::filesystem::path& folder,
                                         std::optional<arch::Config> config) {
  if (!config) {
    config = read_config(folder);
  }
  io::Checkpoint checkpoint = io::Checkpoint::open(folder);
  arch::ModelSpec spec = arch::ModelSpec::resolve(*std::move(config), checkpoint);
  std::shared_ptr<const Model> model(new Model(std::move(spec), std::move(checkpoint)));
  model->check_undamaged();
  return model;
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
      final_norm_(weights_.final_norm(spec_.final_norm, spec_.config)) {
  if (spec_.head) {
    head_ = weights_.linear(*spec_.head);
  }
  if (spec_.config.family->embedding_normed) {
    embedding_norm_ =
        weights_.norm(arch::NormSpec{.name = {}, .width = spec_.config.hidden_size}, spec_.config);
  }
  if (spec_.per_layer) {
    per_layer_.emplace(weights_, spec_);
  }
  for (const arch::LayerSpec& layer : spec_.layers) {
    blocks_.emplace_back(weights_, spec_, layer);
  }
}

mx::array Model::forward(const mx::array& ids, Cache& cache, const Interrupt& interrupt) const {
  const Segment whole{&cache, ids.shape(0)};
  return forward(ids, {&whole, 1}, interrupt);
}

mx::array Model::forward(const mx::array& ids, Segments segments,
                         const Interrupt& interrupt) const {
  for (const Segment& one : segments) {
    if (one.drafted > 0 && one.cache->has_states()) {
      throw Error(ErrorKind::Internal, "[forward] drafted rows of a model whose states go on.");
    }
  }
  mx::array x = kernels::embedding(ids, embedding_, dtype_, embedding_multiplier_);
  if (embedding_norm_) {
    x = kernels::norm(x, *embedding_norm_);
  }
  const std::vector<mx::array> parts =
      per_layer_ ? (*per_layer_)(ids, x) : std::vector<mx::array>{};
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    x = blocks_[i](std::move(x), segments, static_cast<int>(i),
                   parts.empty() ? nullptr : &parts[i]);
    if (interrupt) {
      mx::eval(x);
      interrupt();
    }
  }
  for (const Segment& one : segments) {
    one.cache->commit(one.rows - one.drafted);
  }
  return kernels::norm(x, final_norm_);
}

mx::array Model::logits(const mx::array& hidden) const {
  mx::array y = head_ ? kernels::linear(hidden, *head_) : kernels::linear(hidden, {embedding_, {}});
  const arch::Config& config = spec_.config;
  if (config.logits_divisor != 1.0F) {
    y = mx::divide(y, mx::array(config.logits_divisor, y.dtype()));
  }
  if (config.logits_softcap > 0.0F) {
    y = kernels::softcapped(y, config.logits_softcap);
  }
  return y;
}

bool Model::keeps_half_cache() {
  return kernels::own_kernels() && !kernels::exact() && !kernels::forced_dtype();
}

Cache Model::make_cache(int length) const { return Cache(spec_, kv_dtype_, length); }

std::size_t Model::step_bytes() const {
  std::size_t bytes = weight_bytes() - spec_.idle_bytes;
  if (head_) {  // of the embedding a row
    std::size_t all = embedding_.data.nbytes();
    for (const auto& part : {embedding_.scales, embedding_.biases}) {
      all += part ? part->nbytes() : 0;
    }
    bytes -= all - all / static_cast<std::size_t>(embedding_.rows);
  }
  return bytes;
}

std::size_t Model::kv_bytes(int tokens) const {
  std::size_t numbers = 0;
  for (const arch::LayerConfig& layer : spec_.config.layers) {
    const int rows = layer.window == 0 ? tokens : std::min(tokens, 2 * layer.window);
    numbers += static_cast<std::size_t>(rows) * static_cast<std::size_t>(layer.kv_numbers());
  }
  return numbers * mx::size_of(kv_dtype_) + state_bytes();
}

std::size_t Model::state_bytes() const {
  std::size_t numbers = 0;
  for (const arch::LayerConfig& layer : spec_.config.layers) {
    numbers += static_cast<std::size_t>(layer.recurrence.state_numbers());
  }
  return numbers * sizeof(float);
}

std::size_t Model::snapshot_bytes() const {
  std::size_t numbers = 0;
  for (const arch::LayerConfig& layer : spec_.config.layers) {
    const int rows = LayerCache::rows_of_newest(layer.window);
    numbers += static_cast<std::size_t>(rows) * static_cast<std::size_t>(layer.kv_numbers());
  }
  return numbers * mx::size_of(kv_dtype_) + state_bytes();
}

std::size_t Model::kv_bytes_per_token() const {
  std::size_t numbers = 0;
  for (const arch::LayerConfig& layer : spec_.config.layers) {
    if (layer.window == 0) {
      numbers += static_cast<std::size_t>(layer.kv_numbers());
    }
  }
  return numbers * mx::size_of(kv_dtype_);
}

}  // namespace convergio::model
