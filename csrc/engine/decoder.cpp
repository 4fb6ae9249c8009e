#include "engine/decoder.h"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "engine/device_sampler.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace convergio::engine {

namespace {

/// Weights that a step reads within a millisecond, which is what it takes to hand its ops to
/// another thread.
constexpr std::size_t kSmallStep = 16 << 20;

bool on_gpu() { return mx::default_device() == mx::Device::gpu; }

bool samples_on_gpu(const Answer& answer) {
  return on_gpu() && samples_on_device(answer.options().sampling);
}

/// The logits of the tokens that the tokenizer knows, in one row.
mx::array known_logits(const Answer& answer, const mx::array& logits) {
  const int count = answer.options().known_tokens.value_or(answer.model().vocab_size());
  if (std::cmp_greater_equal(count, logits.size())) {
    return logits;
  }
  return mx::slice(mx::reshape(logits, {-1}), {0}, {count});
}

/// Waits for a token that was sampled on the device.
Sample read_token(mx::array token) {
  const int id = token.item<int>();
  if (id < 0) {
    throw logits_not_finite();
  }
  return {.token = id, .logprob = {}, .top = {}};
}

Sample sample_on_cpu(Answer& answer, const mx::array& logits, const TokenMask* allowed) {
  mx::array row = mx::astype(logits, mx::float32);
  mx::eval(row);
  answer.model().check_undamaged();
  const std::span<float> all(row.data<float>(), row.size());
  const auto& known = answer.options().known_tokens;
  if (known && std::cmp_less(*known, all.size())) {
    std::ranges::fill(all.subspan(static_cast<std::size_t>(*known)),
                      -std::numeric_limits<float>::infinity());
  }
  return answer.sampler().sample(all, allowed);
}

Sample sample(Answer& answer, const mx::array& logits, const TokenMask* allowed) {
  if (!samples_on_gpu(answer)) {
    return sample_on_cpu(answer, logits, allowed);
  }
  const auto step = static_cast<std::uint64_t>(answer.stats().output_tokens);
  const mx::array left = allowed == nullptr ? logits : masked(logits, *allowed);
  return read_token(sample_on_device(known_logits(answer, left), answer.options().sampling, step));
}

/// Samples a token from the logits of each pass.
class PlainDecoder : public Decoder {
 public:
  explicit PlainDecoder(Answer& answer) : answer_(answer) {}

  void decode(const mx::array& logits) override { answer_.take(sample(answer_, logits, nullptr)); }

 private:
  Answer& answer_;
};

/// Samples on the GPU, one pass ahead: the pass after a token is queued before that token is read.
class PipelinedDecoder : public Decoder {
 public:
  explicit PipelinedDecoder(Answer& answer) : answer_(answer) {}

  void decode(const mx::array& logits) override { queue(logits); }

  bool pending() const override { return queued_.has_value(); }

  void resume() override {
    const mx::array token = *queued_;
    model::Cache& cache = answer_.cache();
    if (!cache.rotate_for(cache.length() + 1)) {
      queued_.reset();  // the sequence is recomputed with this token
    } else if (queued_tokens_ < answer_.options().max_tokens) {
      const mx::array hidden = forward(answer_, mx::reshape(token, {1}), /*interruptible=*/false);
      queue(answer_.model().logits(hidden));
    }
    answer_.take(read_token(token));
  }

  void reset() noexcept override {
    queued_.reset();
    queued_tokens_ = answer_.stats().output_tokens;
  }

 private:
  void queue(const mx::array& logits) {
    queued_ = sample_on_device(known_logits(answer_, logits), answer_.options().sampling,
                               static_cast<std::uint64_t>(queued_tokens_));
    ++queued_tokens_;
    mx::async_eval(*queued_);
  }

  Answer& answer_;
  std::optional<mx::array> queued_;  ///< the token being computed; the cache has those before it
  int queued_tokens_ = 0;            ///< of the answer, so far
};

/// Takes tokens that a constraint forces, and samples among those that it allows.
class ConstrainedDecoder : public Decoder {
 public:
  explicit ConstrainedDecoder(Answer& answer)
      : answer_(answer), seen_(answer.request().prompt().size()) {}

  bool overlaps() const override { return answer_.model().step_bytes() > kSmallStep; }
  bool pending() const override { return logits_.has_value(); }
  bool ready() const override { return !logits_ || constraint().ready(); }
  void reset() noexcept override { logits_.reset(); }
  void resume() override { decode(*std::exchange(logits_, std::nullopt)); }

  void prepare(const mx::array& logits) override {
    mx::async_eval(logits);
    consult(logits);
  }

  void decode(const mx::array& logits) override {
    consult(logits);
    if (forced_.empty() && !next_) {
      logits_ = logits;
    } else if (!forced_.empty()) {
      take_forced(logits);
    } else {
      decide(logits);
    }
  }

 private:
  Constraint& constraint() const { return *answer_.request().constraint(); }

  /// Asks the constraint what may follow, and notes what it says once it is ready. It works while
  /// `logits` are computed.
  void consult(const mx::array& logits) {
    if (!forced_.empty() || next_) {
      return;
    }
    answer_.begin_asking();
    if (!asked_at_) {
      asked_at_ = Clock::now();
      constraint().ask(std::span<const int>(answer_.tokens()).subspan(seen_));
      seen_ = answer_.tokens().size();
    }
    if (constraint().ready()) {
      next_ = constraint().next();
      const double took = seconds(*asked_at_, Clock::now());
      asked_at_.reset();
      answer_.stats().mask += took;
      if (logits.is_available()) {
        answer_.stats().mask_wait += took;
      }
      check_next(*next_, answer_.model().vocab_size());
    }
    answer_.end_asking();
  }

  /// Acts on what the constraint said.
  void decide(const mx::array& logits) {
    if (std::holds_alternative<Constraint::Stop>(*next_)) {
      answer_.finish(Finish::Stop);
    } else if (const auto* allowed = std::get_if<TokenMask>(&*next_)) {
      answer_.take(sample(answer_, logits, allowed));
      next_.reset();
    } else {
      const std::vector<int>& tokens = std::get<Constraint::Forced>(*next_).tokens;
      forced_.assign(tokens.begin(), tokens.end());
      next_.reset();
      take_forced(logits);
    }
  }

  /// All forced tokens at once, or, with the log-probabilities of each, one a pass.
  void take_forced(const mx::array& logits) {
    if (answer_.options().sampling.logprobs) {
      const TokenMask allowed = only(forced_.front());
      Sample next = sample(answer_, logits, &allowed);
      forced_.pop_front();
      answer_.take(std::move(next));
      return;
    }
    while (!forced_.empty() && !answer_.finished()) {
      answer_.take({.token = forced_.front(), .logprob = {}, .top = {}}, /*forced=*/true);
      forced_.pop_front();
    }
  }

  Answer& answer_;
  std::size_t seen_;                           ///< tokens that the constraint knows of
  std::optional<Clock::time_point> asked_at_;  ///< while it has not answered
  std::optional<Constraint::Next> next_;       ///< what it said, until a token is decided
  std::optional<mx::array> logits_;            ///< of a step whose constraint is not ready
  std::deque<int> forced_;                     ///< still to be taken
};

}  // namespace

std::unique_ptr<Decoder> make_decoder(Answer& answer) {
  if (answer.request().constraint()) {
    return std::make_unique<ConstrainedDecoder>(answer);
  }
  if (samples_on_gpu(answer)) {
    return std::make_unique<PipelinedDecoder>(answer);
  }
  return std::make_unique<PlainDecoder>(answer);
}

mx::array forward(Answer& answer, const mx::array& ids, bool interruptible) {
  model::Model::Interrupt interrupt;
  if (interruptible && !on_gpu()) {
    interrupt = [&answer] { answer.request().check(); };
  }
  try {
    return answer.model().forward(ids, answer.cache(), interrupt);
  } catch (...) {
    answer.cache().rollback();
    throw;
  }
}

}  // namespace convergio::engine
