#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "engine/random.h"

namespace convergio::engine {

namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

/// The token of the highest logit, the first of equals. Throws where there is none.
int argmax(std::span<const float> logits) {
  std::size_t best = 0;
  float highest = kMinusInfinity;
  bool numbers = true;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] > highest) {
      highest = logits[i];
      best = i;
    }
    numbers = numbers && !std::isnan(logits[i]);
  }
  if (!numbers || !std::isfinite(highest)) {
    throw logits_not_finite();
  }
  return static_cast<int>(best);
}

template <typename Items>
auto at(Items& items, std::size_t index) {
  return items.begin() + static_cast<std::ptrdiff_t>(index);
}

}  // namespace

Sampler::Sampler(SamplingParams params, std::span<const int> prompt) : params_(std::move(params)) {
  if (params_.repetition_penalty != 1.0) {
    seen_.insert(prompt.begin(), prompt.end());
  }
}

void Sampler::accept(int token) {
  ++step_;
  if (params_.penalizes()) {
    seen_.insert(token);
    ++answer_counts_[token];
  }
}

void Sampler::edit(std::span<float> logits) const {
  if (params_.repetition_penalty != 1.0) {
    const auto penalty = static_cast<float>(params_.repetition_penalty);
    for (const int token : seen_) {
      float& logit = logits[static_cast<std::size_t>(token)];
      logit = logit > 0 ? logit / penalty : logit * penalty;
    }
  }
  if (params_.presence_penalty != 0.0 || params_.frequency_penalty != 0.0) {
    for (const auto& [token, count] : answer_counts_) {
      logits[static_cast<std::size_t>(token)] -=
          static_cast<float>(params_.presence_penalty + params_.frequency_penalty * count);
    }
  }
  for (const auto& [token, bias] : params_.logit_bias) {
    logits[static_cast<std::size_t>(token)] += static_cast<float>(bias);
  }
}

/// The penalties of tokens that are not yet accepted.
void Sampler::edit_ahead(std::span<float> logits, std::span<const int> ahead) const {
  if (!params_.penalizes()) {
    return;
  }
  std::unordered_set<int> fresh;
  for (const int token : ahead) {
    float& logit = logits[static_cast<std::size_t>(token)];
    const bool first = fresh.insert(token).second;
    if (first && params_.repetition_penalty != 1.0 && !seen_.contains(token)) {
      const auto penalty = static_cast<float>(params_.repetition_penalty);
      logit = logit > 0 ? logit / penalty : logit * penalty;
    }
    if (first && !answer_counts_.contains(token)) {
      logit -= static_cast<float>(params_.presence_penalty);
    }
    logit -= static_cast<float>(params_.frequency_penalty);
  }
}

bool Sampler::likelier(const Candidate& a, const Candidate& b) {
  return a.value > b.value || (a.value == b.value && a.token < b.token);
}

/// The `count` highest logits, highest first: a buffer of twice the count is cut back to the count
/// whenever it is full, so the cost is linear in the vocabulary.
Sampler::Candidates Sampler::likeliest(std::span<const float> logits, std::size_t count) {
  count = std::min(count, logits.size());
  Candidates best;
  if (count == 0) {
    return best;
  }
  best.reserve(2 * count);
  float floor = kMinusInfinity;
  const auto cut = [&] {
    std::nth_element(best.begin(), at(best, count - 1), best.end(), likelier);
    best.resize(count);
    floor = best.back().value;
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
  std::ranges::sort(best, likelier);
  return best;
}

/// How many of the likeliest it takes to weigh `target`; moves those to the front. Halves what is
/// remaining each time, so the cost is linear.
std::size_t Sampler::nucleus(Candidates& candidates, double target) {
  std::size_t low = 0;  // so many weigh `sum`, which is too little
  std::size_t high = candidates.size();
  double sum = 0;
  while (high - low > 1) {
    const std::size_t middle = low + (high - low) / 2;
    std::nth_element(at(candidates, low), at(candidates, middle), at(candidates, high), likelier);
    double half = 0;
    for (std::size_t i = low; i < middle; ++i) {
      half += candidates[i].value;
    }
    if (sum + half >= target) {
      high = middle;
    } else {
      sum += half;
      low = middle;
    }
  }
  return high;
}

float Sampler::weight(float logit, float highest) const {
  return std::exp((logit - highest) / static_cast<float>(params_.temperature));
}

/// Fills weights_ and returns their sum.
double Sampler::weigh(std::span<const float> logits, float highest) {
  weights_.resize(logits.size());
  double total = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    weights_[i] = weight(logits[i], highest);
    total += weights_[i];
  }
  return total;
}

/// The tokens that top-k, top-p and min-p leave, in the order of ids, with their weights. Each
/// filter keeps a set of the likeliest, so together they keep the smallest of the three.
Sampler::Candidates Sampler::keep(std::span<const float> logits, float highest) {
  Candidates kept;
  double total = 0;
  const auto top_k = static_cast<std::size_t>(params_.top_k);
  if (top_k > 0 && top_k < logits.size()) {
    kept = likeliest(logits, top_k);
    for (Candidate& candidate : kept) {
      candidate.value = weight(candidate.value, highest);
      total += candidate.value;
    }
  } else {
    total = weigh(logits, highest);
    // all the tokens below this weight together are less than what top-p leaves out
    const double spare = (1.0 - params_.top_p) * total / static_cast<double>(logits.size());
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      if (weights_[i] >= spare && weights_[i] >= params_.min_p) {
        kept.push_back({weights_[i], static_cast<int>(i)});
      }
    }
  }
  std::erase_if(kept, [this](const Candidate& one) { return one.value < params_.min_p; });
  if (params_.top_p < 1.0) {
    kept.resize(nucleus(kept, params_.top_p * total));
  }
  std::ranges::sort(kept, {}, &Candidate::token);
  return kept;
}

/// The first token, in the order of ids, at which the sum of weights passes u of the total.
int Sampler::draw_from_all(std::span<const float> logits, int best, float u) {
  const double target = u * weigh(logits, logits[static_cast<std::size_t>(best)]);
  double sum = 0;
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    sum += weights_[i];
    if (sum > target) {
      return static_cast<int>(i);
    }
  }
  return best;
}

int Sampler::draw(std::span<const float> logits, int best, std::uint64_t step) {
  if (params_.greedy()) {
    return best;
  }
  const float u = uniform(params_.seed, step);
  if (params_.top_k == 0 && params_.top_p == 1.0 && params_.min_p == 0.0) {
    return draw_from_all(logits, best, u);
  }
  const Candidates kept = keep(logits, logits[static_cast<std::size_t>(best)]);
  double total = 0;
  for (const Candidate& candidate : kept) {
    total += candidate.value;
  }
  double sum = 0;
  for (const Candidate& candidate : kept) {
    sum += candidate.value;
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
    sample.top.push_back({one.token, one.value - norm});
  }
}

Sample Sampler::sample(std::span<float> logits, const TokenMask* allowed) {
  std::vector<float> own;  // before the edits
  std::span<const float> reported = logits;
  if (params_.logprobs && (allowed != nullptr || params_.edits_logits())) {
    own.assign(logits.begin(), logits.end());
    reported = own;
  }
  if (allowed != nullptr) {
    apply_mask(*allowed, logits);
  }
  edit(logits);
  Sample sample;
  sample.token = draw(logits, argmax(logits), step_);
  if (params_.logprobs) {
    report(reported, sample);
  }
  return sample;
}

Sampler::Guess Sampler::guess(std::span<float> logits, std::span<const int> ahead,
                              const TokenMask* allowed) {
  if (allowed != nullptr) {
    apply_mask(*allowed, logits);
  }
  edit(logits);
  edit_ahead(logits, ahead);
  const int token = draw(logits, argmax(logits), step_ + ahead.size());
  float other = kMinusInfinity;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    other = std::cmp_equal(i, token) ? other : std::max(other, logits[i]);
  }
  return {token, logits[static_cast<std::size_t>(token)] - other};
}

}  // namespace convergio::engine
