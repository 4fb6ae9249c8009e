#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "engine/random.h"
#include "io/error.h"

namespace convergio::engine {

namespace {

constexpr std::size_t kFirstNucleus = 64;
constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

int argmax(std::span<const float> logits) {
  int best = 0;
  float highest = kMinusInfinity;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] > highest) {  // NaN never is
      highest = logits[i];
      best = static_cast<int>(i);
    }
  }
  return best;
}

}  // namespace

Sampler::Sampler(SamplingParams params, std::span<const int> prompt) : params_(std::move(params)) {
  if (params_.repetition_penalty != 1.0F) {
    for (const int token : prompt) {
      seen_.emplace(token, true);
    }
  }
}

void Sampler::accept(int token) {
  ++step_;
  if (params_.penalizes()) {
    seen_.emplace(token, true);
    ++answer_counts_[token];
  }
}

void Sampler::edit(std::span<float> logits) const {
  if (params_.repetition_penalty != 1.0F) {
    for (const auto& [token, unused] : seen_) {
      float& logit = logits[static_cast<std::size_t>(token)];
      logit = logit > 0 ? logit / params_.repetition_penalty : logit * params_.repetition_penalty;
    }
  }
  if (params_.presence_penalty != 0.0F || params_.frequency_penalty != 0.0F) {
    for (const auto& [token, count] : answer_counts_) {
      logits[static_cast<std::size_t>(token)] -=
          params_.presence_penalty + params_.frequency_penalty * static_cast<float>(count);
    }
  }
  for (const auto& [token, bias] : params_.logit_bias) {
    logits[static_cast<std::size_t>(token)] += bias;
  }
}

/// The `count` highest logits, highest first, lower token first among equals: a buffer of twice the
/// count is cut back to the count whenever it is full, so the cost is linear in the vocabulary.
std::vector<Sampler::Candidate> Sampler::likeliest(std::span<const float> logits,
                                                   std::size_t count) {
  const auto before = [](const Candidate& a, const Candidate& b) {
    return a.logit > b.logit || (a.logit == b.logit && a.token < b.token);
  };
  count = std::min(count, logits.size());
  std::vector<Candidate> best;
  if (count == 0) {
    return best;
  }
  best.reserve(2 * count);
  float floor = kMinusInfinity;
  const auto cut = [&] {
    std::nth_element(best.begin(), best.begin() + static_cast<std::ptrdiff_t>(count) - 1,
                     best.end(), before);
    best.resize(count);
    floor = best.back().logit;
  };
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] > floor || (logits[i] == floor && best.size() < count)) {
      best.push_back({logits[i], static_cast<int>(i)});
      if (best.size() == 2 * count) {
        cut();
      }
    }
  }
  if (best.size() > count) {
    cut();
  }
  std::ranges::sort(best, before);
  return best;
}

/// The tokens that top-k, top-p and min-p leave. Each keeps a set of the likeliest, so together
/// they keep the smallest of the three, found by looking at more and more of the likeliest.
std::vector<Sampler::Candidate> Sampler::keep(std::span<const float> logits, float highest) const {
  const auto weight = [&](float logit) {
    return std::exp((logit - highest) / params_.temperature);
  };
  const bool limited = params_.top_k > 0;
  double total = 0;
  if (!limited && params_.top_p < 1.0F) {
    for (const float logit : logits) {
      total += weight(logit);
    }
  }
  std::size_t count = limited ? static_cast<std::size_t>(params_.top_k) : kFirstNucleus;
  for (;; count *= 8) {
    std::vector<Candidate> best = likeliest(logits, count);
    if (limited) {
      total = 0;
      for (const Candidate& candidate : best) {
        total += weight(candidate.logit);
      }
    }
    double sum = 0;
    for (std::size_t i = 0; i < best.size(); ++i) {
      const float w = weight(best[i].logit);
      const bool enough = params_.top_p < 1.0F && sum >= params_.top_p * total;
      if (i > 0 && (enough || w < params_.min_p)) {
        best.resize(i);
        return best;
      }
      sum += w;
    }
    if (limited || best.size() == logits.size()) {
      return best;
    }
  }
}

/// The first token, in the order of ids, at which the sum of weights passes u of the total.
int Sampler::draw_from_all(std::span<const float> logits, float highest, float u) {
  scratch_.resize(logits.size());
  double total = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    scratch_[i] = std::exp((logits[i] - highest) / params_.temperature);
    total += scratch_[i];
  }
  const double target = u * total;
  double sum = 0;
  int last = argmax(logits);
  for (std::size_t i = 0; i < scratch_.size(); ++i) {
    if (scratch_[i] > 0) {
      sum += scratch_[i];
      last = static_cast<int>(i);
      if (sum > target) {
        break;
      }
    }
  }
  return last;
}

int Sampler::draw(std::span<const float> logits) {
  const int best = argmax(logits);
  const float highest = logits[static_cast<std::size_t>(best)];
  if (!std::isfinite(highest)) {
    throw Error(ErrorKind::InferenceFailed,
                "[sampling] the model's logits are not finite; its weights are damaged or its "
                "numbers overflow: verify the model's files.");
  }
  if (params_.greedy()) {
    return best;
  }
  const float u = uniform(params_.seed, step_);
  if (params_.top_k == 0 && params_.top_p == 1.0F && params_.min_p == 0.0F) {
    return draw_from_all(logits, highest, u);
  }
  std::vector<Candidate> kept = keep(logits, highest);
  std::ranges::sort(kept, {}, &Candidate::token);
  double total = 0;
  for (Candidate& candidate : kept) {
    candidate.logit = std::exp((candidate.logit - highest) / params_.temperature);
    total += candidate.logit;
  }
  double sum = 0;
  for (const Candidate& candidate : kept) {
    sum += candidate.logit;
    if (sum > u * total) {
      return candidate.token;
    }
  }
  return best;
}

void Sampler::report(std::span<const float> logits, Sample& sample) const {
  const float highest = logits[static_cast<std::size_t>(argmax(logits))];
  double total = 0;
  for (const float logit : logits) {
    total += std::exp(logit - highest);
  }
  const float norm = highest + static_cast<float>(std::log(total));
  sample.logprob = logits[static_cast<std::size_t>(sample.token)] - norm;
  for (const Candidate& one : likeliest(logits, static_cast<std::size_t>(*params_.logprobs))) {
    sample.top.push_back({one.token, one.logit - norm});
  }
}

Sample Sampler::sample(std::span<float> logits) {
  Sample sample;
  if (!params_.edits_logits()) {
    sample.token = draw(logits);
    if (params_.logprobs) {
      report(logits, sample);
    }
    return sample;
  }
  std::vector<float> own;
  if (params_.logprobs) {
    own.assign(logits.begin(), logits.end());
  }
  edit(logits);
  sample.token = draw(logits);
  if (params_.logprobs) {
    report(own, sample);
  }
  return sample;
}

}  // namespace convergio::engine
