#include "arch/recurrence_tensors.h"

#include <array>
#include <cstddef>

namespace convergio::arch {

namespace {

ShortConvSpec resolve_short_conv(TensorBook& book, int hidden, const Recurrence& sizes,
                                 const std::string& module) {
  return {.in = book.matrix(module + "in_proj", 3 * sizes.channels, hidden),
          .conv = book.conv(module + "conv", sizes.channels, sizes.taps),
          .out = book.matrix(module + "out_proj", hidden, sizes.channels)};
}

/// Of q, k and v, in this order.
std::vector<ConvSpec> convs_of_three(TensorBook& book, const std::array<std::string, 3>& names,
                                     const std::string& module, const Recurrence& sizes) {
  const std::array widths{sizes.keys(), sizes.keys(), sizes.values()};
  std::vector<ConvSpec> convs;
  for (std::size_t i = 0; i < names.size(); ++i) {
    convs.push_back(book.conv(module + names[i], widths[i], sizes.taps, /*may_have_bias=*/false));
  }
  return convs;
}

GatedDeltaSpec resolve_gated_delta(TensorBook& book, int hidden, const Recurrence& sizes,
                                   const std::string& module) {
  const int keys = sizes.keys();
  const int values = sizes.values();
  GatedDeltaSpec spec;
  const bool apart = book.has(module + "q_proj") || book.has(module + "k_proj");
  if (apart) {
    spec.in = {book.matrix(module + "q_proj", keys, hidden),
               book.matrix(module + "k_proj", keys, hidden),
               book.matrix(module + "v_proj", values, hidden),
               book.matrix(module + "g_proj", values, hidden),
               book.matrix(module + "b_proj", sizes.heads, hidden),
               book.matrix(module + "a_proj", sizes.heads, hidden)};
  } else if (book.has(module + "in_proj_qkvz") || book.has(module + "in_proj_ba")) {
    spec.in = {book.matrix(module + "in_proj_qkvz", 2 * keys + 2 * values, hidden),
               book.matrix(module + "in_proj_ba", 2 * sizes.heads, hidden)};
  } else {
    spec.in = {book.matrix(module + "in_proj_qkv", sizes.channels, hidden),
               book.matrix(module + "in_proj_z", values, hidden),
               book.matrix(module + "in_proj_b", sizes.heads, hidden),
               book.matrix(module + "in_proj_a", sizes.heads, hidden)};
  }
  if (apart) {
    spec.convs = convs_of_three(book, {"q_conv1d", "k_conv1d", "v_conv1d"}, module, sizes);
  } else {
    spec.convs = {book.conv(module + "conv1d", sizes.channels, sizes.taps)};
  }
  spec.a_log = module + "A_log";
  spec.dt_bias = module + "dt_bias";
  book.vector(spec.a_log, sizes.heads);
  book.vector(spec.dt_bias, sizes.heads);
  spec.norm = book.norm(module + (apart ? "o_norm" : "norm"), sizes.value_dim);
  spec.out = book.matrix(module + (apart ? "o_proj" : "out_proj"), hidden, values);
  return spec;
}

KimiDeltaSpec resolve_kimi_delta(TensorBook& book, int hidden, const Recurrence& sizes,
                                 const std::string& module) {
  const int keys = sizes.keys();
  const int dim = sizes.key_dim;
  KimiDeltaSpec spec;
  for (const char* name : {"q_proj", "k_proj", "v_proj"}) {
    spec.in.push_back(book.matrix(module + name, keys, hidden));
  }
  spec.in.push_back(book.matrix(module + "f_a_proj", dim, hidden));
  spec.in.push_back(book.matrix(module + "g_a_proj", dim, hidden));
  spec.in.push_back(book.matrix(module + "b_proj", sizes.heads, hidden));
  spec.a = book.matrix(module + "f_b_proj", keys, dim);
  spec.gate = book.matrix(module + "g_b_proj", keys, dim);
  std::array<std::string, 3> convs{"q", "k", "v"};
  for (std::string& name : convs) {
    const std::string converted = name + "_conv.conv";
    name = book.has(module + converted) ? converted : name + "_conv1d";
  }
  spec.convs = convs_of_three(book, convs, module, sizes);
  spec.a_log = module + "A_log";
  spec.dt_bias = module + "dt_bias";
  book.numbers(spec.a_log, {{1, 1, sizes.heads, 1}, {sizes.heads}});
  book.numbers(spec.dt_bias, {{keys}, {sizes.heads, dim}});
  spec.norm = book.norm(module + "o_norm", sizes.value_dim);
  spec.out = book.matrix(module + "o_proj", hidden, sizes.values());
  return spec;
}

Mamba2Spec resolve_mamba2(TensorBook& book, int hidden, const Recurrence& sizes,
                          const std::string& module) {
  const int values = sizes.values();
  Mamba2Spec spec;
  spec.in = book.matrix(module + "in_proj", values + sizes.channels + sizes.heads, hidden);
  spec.conv = book.conv(module + "conv1d", sizes.channels, sizes.taps);
  spec.a_log = module + "A_log";
  spec.dt_bias = module + "dt_bias";
  spec.d = module + "D";
  for (const std::string& name : {spec.a_log, spec.dt_bias, spec.d}) {
    book.vector(name, sizes.heads);
  }
  if (sizes.normed) {
    spec.norm = book.norm(module + "norm", values);
  }
  spec.out = book.matrix(module + "out_proj", hidden, values);
  return spec;
}

}  // namespace

RecurrenceSpec resolve_recurrence(TensorBook& book, const Config& config, const Recurrence& sizes,
                                  const std::string& prefix) {
  switch (sizes.kind) {
    case RecurrenceKind::None:
      break;
    case RecurrenceKind::ShortConv:
      return resolve_short_conv(book, config.hidden_size, sizes, prefix + "conv.");
    case RecurrenceKind::GatedDelta:
      return resolve_gated_delta(book, config.hidden_size, sizes, prefix + "linear_attn.");
    case RecurrenceKind::KimiDelta:
      return resolve_kimi_delta(book, config.hidden_size, sizes, prefix + "self_attn.");
    case RecurrenceKind::Mamba2:
      return resolve_mamba2(book, config.hidden_size, sizes,
                            prefix + (book.has_any(prefix + "mixer.") ? "mixer." : "mamba."));
  }
  return {};
}

}  // namespace convergio::arch
