#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "arch/tensors.h"

namespace convergio::arch {

/// A gated convolution over a few tokens: {b‖c‖x} is made of a token, b · x is convolved, times c.
struct ShortConvSpec {
  MatrixSpec in;  ///< (3 · channels, hidden_size)
  ConvSpec conv;
  MatrixSpec out;
};

/// The gated delta rule: q, k and v are made of a token and convolved, z gates what the rule makes
/// of them, a decays a head's state and b is how much of v is written to it.
struct GatedDeltaSpec {
  /// {q‖k‖v, z, b, a} or {q, k, v, z, b, a}; or {q‖k‖v‖z, b‖a}, where that is for one key head
  /// after the other, each with the value heads that share it.
  std::vector<MatrixSpec> in;
  std::vector<ConvSpec> convs;  ///< of all; or of q, k and v
  std::string a_log, dt_bias;   ///< tensors, (heads,)
  NormSpec norm;                ///< of value_dim
  MatrixSpec out;
};

/// The gated delta rule with a decay for each dimension: the same but for a, which is made of
/// key_dim numbers of a token, and so is the gate.
struct KimiDeltaSpec {
  std::vector<MatrixSpec> in;   ///< {q, k, v, what a is made of, what the gate is made of, b}
  MatrixSpec a, gate;           ///< (heads · key_dim, key_dim) each
  std::vector<ConvSpec> convs;  ///< of q, k and v
  std::string a_log, dt_bias;   ///< tensors, of heads and of heads · key_dim numbers
  NormSpec norm;                ///< of value_dim
  MatrixSpec out;
};

/// Mamba-2: {gate‖x‖b‖c‖dt} is made of a token, x‖b‖c is convolved, and what the scan makes of them
/// passes a gated norm.
struct Mamba2Spec {
  MatrixSpec in;  ///< (values + channels + heads, hidden_size)
  ConvSpec conv;
  std::string a_log, dt_bias, d;  ///< tensors, (heads,)
  std::optional<NormSpec> norm;   ///< of values; each group of heads is normed by itself
  MatrixSpec out;
};

/// The tensors of a layer's recurrence, by its kind.
using RecurrenceSpec =
    std::variant<std::monostate, ShortConvSpec, GatedDeltaSpec, KimiDeltaSpec, Mamba2Spec>;

/// Looks up the tensors of a layer that has one; `prefix` is the layer's.
RecurrenceSpec resolve_recurrence(TensorBook& book, const Config& config, const Recurrence& sizes,
                                  const std::string& prefix);

}  // namespace convergio::arch
