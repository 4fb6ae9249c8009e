#include "kernels/ops/route.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace convergio::kernels {

namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

float sigmoid(float x) { return 1.0F / (1.0F + std::exp(-x)); }

void softmax(const float* x, int count, float* out) {
  const float highest = *std::max_element(x, x + count);
  float total = 0.0F;
  for (int i = 0; i < count; ++i) {
    out[i] = std::exp(x[i] - highest);
    total += out[i];
  }
  for (int i = 0; i < count; ++i) {
    out[i] /= total;
  }
}

int best_of(const float* scores, int count) {
  return static_cast<int>(std::max_element(scores, scores + count) - scores);
}

/// The sum of a group's best scores, which are taken out of `scores`.
float group_score(float* scores, int size, int best) {
  float total = 0.0F;
  for (int i = 0; i < best; ++i) {
    const int at = best_of(scores, size);
    total += scores[at];
    scores[at] = kNever;
  }
  return total;
}

/// Experts of groups that are not among the best are not chosen.
/// `spare` holds a score for each expert and for each group.
void mask_groups(const formats::Router& router, float* scores, float* spare) {
  const int size = router.experts / router.groups;
  float* of_groups = spare + router.experts;
  std::copy_n(scores, router.experts, spare);
  for (int g = 0; g < router.groups; ++g) {
    of_groups[g] = group_score(spare + g * size, size, router.group_best);
  }
  for (int i = 0; i < router.chosen_groups; ++i) {
    of_groups[best_of(of_groups, router.groups)] = kNever;  // one of the best
  }
  for (int g = 0; g < router.groups; ++g) {
    if (of_groups[g] != kNever) {
      std::fill_n(scores + g * size, size, kNever);
    }
  }
}

/// Inference of sparsemixer (Liu et al. 2023): each choice is weighed among those not far below it.
void sparse_mixer(const formats::Router& router, const float* logits, float* work, Choice* out) {
  const int count = router.experts;
  float* left = work;
  float* close = work + count;
  std::copy_n(logits, count, left);
  for (int i = 0; i < router.chosen; ++i) {
    const int expert = best_of(left, count);
    const float highest = left[expert];
    for (int e = 0; e < count; ++e) {
      const float distance = (highest - logits[e]) / std::max(std::fabs(logits[e]), highest);
      close[e] = distance > 2 * router.jitter ? kNever : left[e];
    }
    softmax(close, count, close);
    out[i] = {expert, close[expert]};
    left[expert] = kNever;
  }
}

/// Logits to scores, each expert's own.
void score(const formats::Router& router, const float* logits, float* out) {
  if (router.score == formats::Score::Softmax) {
    softmax(logits, router.experts, out);
  } else if (router.score == formats::Score::Sigmoid) {
    std::transform(logits, logits + router.experts, out, sigmoid);
  } else {
    std::copy_n(logits, router.experts, out);
  }
}

}  // namespace

std::int64_t route_work(const formats::Router& router) {
  return 3 * std::int64_t{router.experts} + router.groups;
}

void route_row(const formats::Router& router, const float* logits, const float* correction,
               float* work, Choice* out) {
  if (router.score == formats::Score::SparseMixer) {
    return sparse_mixer(router, logits, work, out);
  }
  const int count = router.experts;
  float* scores = work;
  float* ranked = work + count;
  if (router.softcap > 0) {
    std::transform(logits, logits + count, ranked,
                   [&](float logit) { return router.softcap * std::tanh(logit / router.softcap); });
    logits = ranked;
  }
  score(router, logits, scores);
  for (int e = 0; e < count; ++e) {
    ranked[e] = correction == nullptr ? scores[e] : scores[e] + correction[e];
  }
  if (router.groups > router.chosen_groups) {
    mask_groups(router, ranked, work + 2 * count);
  }
  float total = 0.0F;
  for (int i = 0; i < router.chosen; ++i) {
    const int expert = best_of(ranked, count);
    ranked[expert] = kNever;
    out[i] = {expert, scores[expert]};
    if (router.score == formats::Score::SoftmaxOfChosen) {
      out[i].weight = std::exp(scores[expert] - scores[out[0].expert]);
    } else if (router.score == formats::Score::SigmoidOfChosen) {
      out[i].weight = sigmoid(scores[expert]);
    }
    total += out[i].weight;
  }
  const bool divides = router.normalized || router.score == formats::Score::SoftmaxOfChosen;
  for (int i = 0; i < router.chosen; ++i) {
    out[i].weight = (divides ? out[i].weight / total : out[i].weight) * router.scale;
  }
}

}  // namespace convergio::kernels
