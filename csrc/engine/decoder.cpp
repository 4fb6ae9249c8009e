#include "engine/decoder.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "engine/device_sampler.h"
#include "kernels/mlx/primitive.h"
#include "kernels/mlx/view.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace convergio::engine {

namespace {

/// Weights that a step reads within a millisecond, which is what it takes to hand its ops to
/// another thread.
constexpr std::size_t kSmallStep = 16 << 20;

/// True where MLX's ops compute: then tokens are chosen by them too, so that a pass can be queued
/// before the last one's token is read.
bool ops_choose() { return !kernels::own_kernels(); }

/// The logits of the tokens that the tokenizer knows, in one row.
mx::array known_logits(const Answer& answer, const mx::array& logits) {
  const int count = answer.options().known_tokens.value_or(answer.model().vocab_size());
  if (std::cmp_greater_equal(count, logits.size())) {
    return logits;
  }
  return mx::slice(mx::reshape(logits, {-1}), {0}, {count});
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

/// Waits for a token that was chosen on the device; nullopt where the Sampler has to.
std::optional<Sample> read(DeviceSample chosen) {
  if (!std::isfinite(mx::astype(chosen.check, mx::float32).item<float>())) {
    return std::nullopt;
  }
  Sample sample{
      .token = static_cast<int>(chosen.token.item<std::uint32_t>()), .logprob = {}, .top = {}};
  if (chosen.logprobs) {
    auto& [norm, logit, top, top_logits] = *chosen.logprobs;
    mx::eval(norm, logit, top, top_logits);
    sample.logprob = logit.item<float>() - norm.item<float>();
    for (std::size_t i = 0; i < top.size(); ++i) {
      sample.top.push_back({static_cast<int>(top.data<std::uint32_t>()[i]),
                            -top_logits.data<float>()[i] - norm.item<float>()});
    }
  }
  return sample;
}

Sample sample(Answer& answer, const mx::array& logits, const TokenMask* allowed) {
  const SamplingParams& params = answer.options().sampling;
  if (!ops_choose() || params.edits_logits() || params.logprobs) {
    return sample_on_cpu(answer, logits, allowed);
  }
  const auto step = static_cast<std::uint64_t>(answer.stats().output_tokens);
  const mx::array left = allowed == nullptr ? logits : masked(logits, *allowed);
  const std::optional<Sample> chosen =
      read(DeviceSampler(params).sample(known_logits(answer, left), step));
  return chosen ? *chosen : sample_on_cpu(answer, logits, allowed);
}

/// The logits that the next token is decided from.
mx::array next_row(const Answer& answer, const mx::array& logits) {
  const kernels::Eager eager;  // a row of what is there is a view
  const int row = *answer.row();
  return kernels::rows_between(logits, row, row + 1);
}

/// Samples tokens from the logits of each pass.
class PlainDecoder : public Decoder {
 public:
  explicit PlainDecoder(Answer& answer) : answer_(answer) {}

  Draft look_up(int most) override { return answer_.look_up(most); }
  bool lets_draft() const override { return true; }

  void decode(const mx::array& logits) override {
    while (answer_.row()) {
      answer_.take(sample(answer_, next_row(answer_, logits), nullptr));
    }
  }

 private:
  Answer& answer_;
};

/// Samples by MLX's ops, one pass ahead: the pass after a token is queued before that is read.
class PipelinedDecoder : public Decoder {
 public:
  explicit PipelinedDecoder(Answer& answer)
      : answer_(answer), sampler_(answer.options().sampling) {}

  void decode(const mx::array& logits) override {
    const std::span<const int> tokens = answer_.tokens();
    const std::span<const int> prompt = answer_.request().prompt();
    const mx::array known = known_logits(answer_, logits);
    sampler_.begin(prompt, tokens.subspan(prompt.size()), static_cast<int>(known.size()));
    queued_tokens_ = answer_.stats().output_tokens;
    queue(logits);
  }

  bool pending() const override { return queued_.has_value(); }

  void resume() override {
    const Queued now = *queued_;
    model::Cache& cache = answer_.cache();
    queued_.reset();
    // where tables are outgrown, the sequence is recomputed with this token
    if (cache.rotate_for(cache.length() + 1) && queued_tokens_ < answer_.options().max_tokens) {
      queue(answer_.model().logits(forward(answer_, now.sample.token, /*drafted=*/0,
                                           /*interruptible=*/false)));
    }
    std::optional<Sample> chosen = read(now.sample);
    if (!chosen && queued_) {  // the pass ahead has gone on with no token
      queued_.reset();
      go_back();
    }
    answer_.take(chosen ? *std::move(chosen) : sample_on_cpu(answer_, now.logits, nullptr));
  }

  void reset() noexcept override { queued_.reset(); }

 private:
  /// A token being computed, and what it is chosen from; the cache has those before it.
  struct Queued {
    DeviceSample sample;
    mx::array logits;
  };

  /// Takes the last token out of the cache, where states have gone on too with those behind the
  /// newest snapshot, which are then run again.
  void go_back() {
    model::Cache& cache = answer_.cache();
    const int length = cache.length();
    if (cache.trim(length - 1)) {
      return;
    }
    const std::vector<Snapshots::One>& snapshots = answer_.sequence().snapshots.all();
    for (auto one = snapshots.rbegin(); one != snapshots.rend(); ++one) {
      if (one->length() < length && cache.trim(one->length(), &one->snapshot())) {
        return;
      }
    }
    cache = answer_.model().make_cache(length);
  }

  void queue(const mx::array& logits) {
    queued_ = {
        sampler_.sample(known_logits(answer_, logits), static_cast<std::uint64_t>(queued_tokens_)),
        logits};
    ++queued_tokens_;
    const DeviceSample& sample = queued_->sample;
    std::vector<mx::array> all{sample.token, sample.check};
    if (sample.logprobs) {
      all.insert(all.end(), {sample.logprobs->norm, sample.logprobs->logit, sample.logprobs->top,
                             sample.logprobs->top_logits});
    }
    mx::async_eval(all);
  }

  Answer& answer_;
  DeviceSampler sampler_;
  std::optional<Queued> queued_;
  int queued_tokens_ = 0;  ///< of the answer, so far
};

/// Takes tokens that a constraint forces, and samples among those that it allows.
class ConstrainedDecoder : public Decoder {
 public:
  explicit ConstrainedDecoder(Answer& answer)
      : answer_(answer), seen_(answer.request().prompt().size()) {}

  bool overlaps() const override { return answer_.model().step_bytes() > kSmallStep; }
  bool pending() const override { return logits_.has_value(); }
  bool ready() const override { return !asked_at_ || constraint().ready(); }
  void reset() noexcept override { logits_.reset(); }
  void resume() override { decide_rows(); }

  /// Forced tokens are run in the pass of the token that they follow.
  void take_certain() override {
    if (reports_logprobs() || answer_.stats().output_tokens == 0 || !at_rest()) {
      return;
    }
    const Clock::time_point begin = Clock::now();
    answer_.begin_asking();
    Constraint::Forced forced{constraint().forced_after(unseen())};
    answer_.end_asking();
    const double took = seconds(begin, Clock::now());
    answer_.stats().mask += took;
    answer_.stats().mask_wait += took;
    if (!forced.tokens.empty()) {
      check_next(forced, answer_.model().vocab_size());
      take_forced(forced);
    }
  }

  bool lets_draft() const override { return at_rest(); }
  std::unique_ptr<Lookahead> look_ahead() override { return constraint().look_ahead(unseen()); }

  Draft look_up(int most) override {
    if (!forced_.empty()) {
      most = std::min(answer_.most_drafted(most), static_cast<int>(forced_.size()));
      return {.tokens = {forced_.begin(), forced_.begin() + most},
              .chances = std::vector<double>(static_cast<std::size_t>(most), 1.0)};
    }
    if (!at_rest()) {
      return {};
    }
    Draft draft = answer_.look_up(most);
    if (!draft.tokens.empty()) {
      draft.cut(constraint().allowed_after(unseen(), draft.tokens));
    }
    return draft;
  }

  void prepare(const mx::array& logits) override {
    mx::async_eval(logits);
    consult(logits);
  }

  void decode(const mx::array& logits) override {
    logits_ = logits;
    decide_rows();
  }

 private:
  Constraint& constraint() const { return *answer_.request().constraint(); }
  bool reports_logprobs() const { return answer_.options().sampling.logprobs.has_value(); }

  /// Whether all that the constraint said is done, and it was asked nothing since.
  bool at_rest() const { return !asked_at_ && !next_ && forced_.empty(); }

  std::span<const int> unseen() const {
    return std::span<const int>(answer_.tokens()).subspan(seen_);
  }

  /// Decides a token from each row of the logits that there is for one, until the constraint is not
  /// ready.
  void decide_rows() {
    while (answer_.row()) {
      consult(*logits_);
      if (forced_.empty() && !next_) {
        return;
      }
      forced_.empty() ? decide() : take_first_forced();
    }
    logits_.reset();
  }

  /// Asks the constraint what may follow, and notes what it says once it is ready. It works while
  /// `logits` are computed.
  void consult(const mx::array& logits) {
    if (!forced_.empty() || next_) {
      return;
    }
    answer_.begin_asking();
    if (!asked_at_) {
      asked_at_ = Clock::now();
      constraint().ask(unseen());
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
  void decide() {
    if (std::holds_alternative<Constraint::Stop>(*next_)) {
      answer_.finish(Finish::Stop);
    } else if (const auto* allowed = std::get_if<TokenMask>(&*next_)) {
      answer_.take(sample(answer_, next_row(answer_, *logits_), allowed));
      next_.reset();
    } else {
      const Constraint::Forced forced = std::get<Constraint::Forced>(*std::exchange(next_, {}));
      if (reports_logprobs()) {
        forced_.assign(forced.tokens.begin(), forced.tokens.end());
        take_first_forced();
      } else {
        take_forced(forced);
      }
    }
  }

  /// All forced tokens at once: nothing is asked of the model.
  void take_forced(const Constraint::Forced& forced) {
    for (const int token : forced.tokens) {
      if (!answer_.finished()) {
        answer_.take({.token = token, .logprob = {}, .top = {}}, /*forced=*/true);
      }
    }
  }

  /// One forced token with its log-probability.
  void take_first_forced() {
    const TokenMask allowed = only(forced_.front());
    Sample next = sample(answer_, next_row(answer_, *logits_), &allowed);
    forced_.pop_front();
    answer_.take(std::move(next));
  }

  Answer& answer_;
  std::size_t seen_;                           ///< tokens that the constraint knows of
  std::optional<Clock::time_point> asked_at_;  ///< while it has not answered
  std::optional<Constraint::Next> next_;       ///< what it said, until a token is decided
  std::optional<mx::array> logits_;            ///< while tokens are decided from them
  std::deque<int> forced_;                     ///< still to be taken, where each is reported
};

}  // namespace

std::unique_ptr<Decoder> make_decoder(Answer& answer) {
  if (answer.request().constraint()) {
    return std::make_unique<ConstrainedDecoder>(answer);
  }
  if (ops_choose()) {
    return std::make_unique<PipelinedDecoder>(answer);
  }
  return std::make_unique<PlainDecoder>(answer);
}

mx::array forward(Answer& answer, const mx::array& ids, int drafted, bool interruptible,
                  std::span<const int> marks) {
  model::Model::Interrupt interrupt;
  if (interruptible && kernels::own_kernels()) {
    interrupt = [&answer] { answer.request().check(); };
  }
  try {
    const model::Segment whole{&answer.cache(), ids.shape(0), drafted, marks};
    return answer.model().forward(ids, {&whole, 1}, interrupt);
  } catch (...) {
    answer.cache().rollback();
    throw;
  }
}

}  // namespace convergio::engine
