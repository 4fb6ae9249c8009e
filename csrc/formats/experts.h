#pragma once

#include <cstdint>

// What config.json says of experts, as the kernels take it.
namespace convergio::formats {

/// How a router's logits become the weights of the chosen experts.
enum class Score : std::uint8_t {
  Softmax,          ///< over all experts, of which the likeliest are chosen
  SoftmaxOfChosen,  ///< over the highest logits alone
  Sigmoid,          ///< of each logit by itself
  SigmoidOfChosen,  ///< the same, where the highest logits are chosen
  SparseMixer,      ///< one after the other: a softmax over those close to the highest left
};

/// Which experts a token goes to, and with which weights.
struct Router {
  int experts = 0;
  int chosen = 0;  ///< of them, for each token
  Score score = Score::Softmax;
  int groups = 1;           ///< of equal size; a token goes to experts of the best groups alone
  int chosen_groups = 1;    ///< how many groups that are
  int group_best = 2;       ///< a group is as good as the sum of so many of its best experts
  bool normalized = false;  ///< the chosen weights are divided by their sum
  float scale = 1.0F;       ///< what they are then multiplied with
  float softcap = 0.0F;     ///< where > 0, logits become softcap · tanh(logit / softcap) first
  float jitter = 0.0F;      ///< SparseMixer: half the band below the highest logit, relative to it
};

/// The mixture-of-experts feed-forward of a model's sparse layers (Shazeer et al. 2017).
struct Experts {
  Router router;
  int width = 0;              ///< intermediate size of each expert
  int shared_width = 0;       ///< of the experts that every token goes to, together; 0: none
  float swiglu_alpha = 0.0F;  ///< clamped SwiGLU: (clamp(up) + 1) · gate · sigmoid(alpha · gate)
  float swiglu_limit = 0.0F;  ///< 0: the model's activation instead
  bool weighs_input = false;  ///< a weight multiplies what its expert is given, not what it makes
  bool gated = true;          ///< down(activation(gate) · up); else down(activation(up))
  int latent = 0;  ///< numbers that experts are given and make, of another space; 0: hidden ones
};

}  // namespace convergio::formats
