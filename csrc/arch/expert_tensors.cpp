#include "arch/expert_tensors.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace convergio::arch {

namespace {

/// Where sparse layers have their router, in the spellings of published checkpoints, what the names
/// of the layer's other tensors begin with, by which it is known where the router is missing, and
/// the module that experts are in.
struct Layout {
  const char* router;
  const char* others;
  const char* block;
};
constexpr std::array kLayouts{
    Layout{"block_sparse_moe.router.layer", "block_sparse_moe.input_", "block_sparse_moe."},
    Layout{"block_sparse_moe.gate", "block_sparse_moe.", "block_sparse_moe."},
    Layout{"feed_forward.gate", "feed_forward.expert_bias", "feed_forward."},
    Layout{"feed_forward.router", "feed_forward.", "feed_forward."},
    Layout{"router.proj", "router.", ""},
    Layout{"mixer.gate", "mixer.gate.", "mixer."},
    Layout{"mlp.router", "mlp.router.", "mlp."},
    Layout{"mlp.gate.proj", "mlp.gate.proj.", "mlp."},
    Layout{"mlp.gate", "mlp.", "mlp."}};

/// What the three projections of an expert are called.
struct Names {
  const char* gate;
  const char* up;
  const char* down;
};
constexpr Names kNames{"gate_proj", "up_proj", "down_proj"};
constexpr Names kNumbered{"w1", "w3", "w2"};

const Layout& find_layout(const TensorBook& book, const std::string& prefix) {
  for (const Layout& layout : kLayouts) {
    if (book.has(prefix + layout.router)) {
      return layout;
    }
  }
  for (const Layout& layout : kLayouts) {
    if (book.has_any(prefix + layout.others)) {
      return layout;
    }
  }
  return kLayouts.back();
}

ExpertMatrices stacked(TensorBook& book, const std::string& module, int experts, int rows,
                       int cols) {
  return {.parts = {book.matrix(module, rows, cols, experts)}, .stacked = true};
}

ExpertMatrices separate(TensorBook& book, const std::string& block, const char* name, int experts,
                        int rows, int cols) {
  ExpertMatrices all;
  for (int e = 0; e < experts; ++e) {
    all.parts.push_back(
        book.matrix(block + "experts." + std::to_string(e) + "." + name, rows, cols));
  }
  book.expect_alike(all.parts);
  return all;
}

/// Experts without a gate: one by one as published, or stacked under other names as mlx-lm converts
/// them.
void resolve_ungated(TensorBook& book, const Experts& experts, int inputs, const std::string& block,
                     ExpertsSpec& spec) {
  const int count = experts.router.experts;
  const std::string stack = block + "switch_mlp.";
  if (book.has(stack + "fc1") || book.has(stack + "fc2")) {
    spec.gate_up = {stacked(book, stack + "fc1", count, experts.width, inputs)};
    spec.down = stacked(book, stack + "fc2", count, inputs, experts.width);
    return;
  }
  spec.gate_up = {separate(book, block, kNames.up, count, experts.width, inputs)};
  spec.down = separate(book, block, kNames.down, count, inputs, experts.width);
}

/// Stacked experts that are parameters of their module, gate and up in one, as transformers'
/// classes have them. Which way the matrices lie is told by the shapes: one of the two is never
/// square.
bool resolve_parameters(TensorBook& book, const Experts& experts, int hidden,
                        const std::string& module, ExpertsSpec& spec) {
  const std::string both = module + "gate_up_proj";
  const std::string down = module + "down_proj";
  const auto lies = [&](const std::string& name, int rows, int cols) {
    return rows != cols && book.has_shape(name, {experts.router.experts, cols, rows});
  };
  const int width = experts.width;
  Form form = Form::Parameter;
  if (book.has_tensor(both + "_blocks") || book.has_tensor(down + "_blocks")) {
    form = Form::Blocks;
  } else if (!book.has_tensor(both) && !book.has_tensor(down)) {
    return false;
  } else if (lies(both, 2 * width, hidden) || lies(down, hidden, width)) {
    form = Form::InputsFirst;
  }
  const auto stack = [&](const std::string& name, int rows, int cols) {
    return ExpertMatrices{.parts = {book.parameter(name, rows, cols, experts.router.experts, form)},
                          .stacked = true};
  };
  spec.gate_up = {stack(both, 2 * width, hidden)};
  spec.down = stack(down, hidden, width);
  return true;
}

}  // namespace

ExpertsSpec resolve_experts(TensorBook& book, const Config& config, const std::string& prefix) {
  ExpertsSpec spec;
  const Experts& experts = *config.experts;
  const int hidden = config.hidden_size;
  const Layout& layout = find_layout(book, prefix);
  const std::string router = layout.router;
  const std::string block = prefix + layout.block;
  const int count = experts.router.experts;
  const int width = experts.width;
  spec.router = book.matrix(prefix + router, count, hidden);
  const std::string gate = prefix + router.substr(0, router.find(".proj"));
  const std::string statics = block + "moe_statics.e_score_correction_bias";
  for (const std::string& name :
       {gate + ".e_score_correction_bias", block + "experts.e_score_correction_bias",
        block + "e_score_correction_bias", block + "expert_bias", statics}) {
    if (book.has_optional(name)) {
      const auto shape =
          name == statics ? std::vector<std::int64_t>{1, count} : std::vector<std::int64_t>{count};
      book.expect(name, shape, {io::Dtype::F32, io::Dtype::F16, io::Dtype::BF16});
      spec.correction = name;
    }
  }
  if (const std::string scale = prefix + "router.per_expert_scale"; book.has_optional(scale)) {
    book.vector(scale, count);
    spec.scales = scale;
  }
  if (experts.latent > 0) {
    spec.latent_in = book.matrix(block + "fc1_latent_proj", experts.latent, hidden);
    spec.latent_out = book.matrix(block + "fc2_latent_proj", hidden, experts.latent);
  }
  if (!experts.gated) {
    resolve_ungated(book, experts, experts.latent > 0 ? experts.latent : hidden, block, spec);
    return spec;
  }
  for (const char* module : {"switch_mlp.", "experts.", "experts.switch_glu."}) {
    const std::string stack = block + module;
    if (std::ranges::any_of(std::array{kNames.gate, kNames.up, kNames.down},
                            [&](const char* name) { return book.has(stack + name); })) {
      spec.gate_up = {stacked(book, stack + kNames.gate, count, width, hidden),
                      stacked(book, stack + kNames.up, count, width, hidden)};
      spec.down = stacked(book, stack + kNames.down, count, hidden, width);
      return spec;
    }
  }
  if (resolve_parameters(book, experts, hidden, block + "experts.", spec)) {
    spec.interleaved = config.family->experts.interleaved;
    return spec;
  }
  if (book.has(block + "input_linear") || book.has(block + "output_linear")) {
    spec.gate_up = {stacked(book, block + "input_linear", count, 2 * width, hidden)};
    spec.down = stacked(book, block + "output_linear", count, hidden, width);
    return spec;
  }
  const Names names = book.has_any(block + "experts.0.w") ? kNumbered : kNames;
  spec.gate_up = {separate(book, block, names.gate, count, width, hidden),
                  separate(book, block, names.up, count, width, hidden)};
  spec.down = separate(book, block, names.down, count, hidden, width);
  return spec;
}

std::size_t bytes_of_experts(const TensorBook& book, const ExpertsSpec& experts) {
  std::size_t bytes = 0;
  const auto add = [&](const ExpertMatrices& matrices) {
    for (const MatrixSpec& part : matrices.parts) {
      bytes += book.bytes_of(part);
    }
  };
  add(experts.down);
  std::ranges::for_each(experts.gate_up, add);
  return bytes;
}

std::string shared_experts(const TensorBook& book, const std::string& prefix) {
  const Layout& layout = find_layout(book, prefix);
  const std::string block = prefix + layout.block;
  if (block == prefix) {
    return prefix + "mlp.";
  }
  return block + (book.has_any(block + "shared_expert.") ? "shared_expert." : "shared_experts.");
}

}  // namespace convergio::arch
