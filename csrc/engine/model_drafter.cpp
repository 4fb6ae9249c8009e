#include "engine/model_drafter.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "arch/rope.h"
#include "kernels/mlx/primitive.h"
#include "kernels/ops/take_rows.h"
#include "mlx/array.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace convergio::engine {

namespace {

namespace mx = mlx::core;

constexpr int kMostLag = 8;       ///< rows that a first pass has beside those of others
constexpr int kLeastAtOnce = 16;  ///< and of one that reads what came before
constexpr int kMostAtOnce = 256;
constexpr double kNew = 0.2;  ///< of a time that is measured again and again
/// The margin of a token that had no alternative: it says nothing of the model.
constexpr float kForced = std::numeric_limits<float>::quiet_NaN();

void average(double& known, double found) {
  known = known == 0 ? found : (1 - kNew) * known + kNew * found;
}

}  // namespace

ModelDrafter::ModelDrafter(std::shared_ptr<DraftModel> model, Sampler& sampler,
                           const RequestOptions& options, int vocab_size)
    : model_(std::move(model)),
      sampler_(sampler),
      options_(options),
      vocab_size_(vocab_size),
      known_tokens_(std::min(options.known_tokens.value_or(vocab_size), vocab_size)),
      rates_(model_->rates),
      account_(&model_->credit) {}

void ModelDrafter::follow(std::span<const int> tokens) {
  while (model_ && followed_ < tokens.size()) {
    take(tokens[followed_]);
  }
}

/// One more token has come: what is drafted behind it may still come, where it was drafted too.
void ModelDrafter::take(int token) {
  fits_ = fits_ && token < weights().vocab_size();
  const bool was_drafted = !draft_.tokens.empty();
  const bool is_right = was_drafted && draft_.tokens.front() == token;
  if (was_drafted && !std::isnan(margins_.front())) {
    rates_.note(margins_.front(), is_right);
  } else if (!was_drafted) {
    rates_.fade();
  }
  if (is_right) {
    draft_.tokens.erase(draft_.tokens.begin());
    draft_.chances.erase(draft_.chances.begin());
    margins_.erase(margins_.begin());
  } else {
    forget_draft();
    if (sequence_) {
      sequence_->tokens.push_back(token);
    }
  }
  ++followed_;
}

/// Goes back behind the tokens that have come.
void ModelDrafter::forget_draft() {
  draft_ = {};
  margins_.clear();
  if (!sequence_ || sequence_->tokens.size() == followed_) {
    return;
  }
  const int length = std::min(sequence_->cache.length(), static_cast<int>(followed_));
  if (sequence_->cache.trim(length)) {
    sequence_->tokens.resize(followed_);
  } else {
    discard();
  }
}

void ModelDrafter::discard() {
  if (sequence_) {
    model_->loaded->prefix_cache.discard(std::exchange(sequence_, nullptr));
  }
}

Draft ModelDrafter::propose(std::span<const int> /*tokens*/, int most) const {
  Draft draft = draft_;
  draft.cut(std::min(draft.tokens.size(), static_cast<std::size_t>(most)));
  return draft;
}

int ModelDrafter::lag() const {
  const auto tokens = static_cast<int>(followed_ + draft_.tokens.size());
  return tokens - (sequence_ ? sequence_->cache.length() : 0);
}

bool ModelDrafter::is_close() const { return sequence_ && lag() <= kMostLag; }

Prospect ModelDrafter::prospect(int most) const {
  const Prospect none{.chance = 0, .most = 0, .lag = 1};
  if (!model_ || !fits_) {
    return none;
  }
  const auto length = static_cast<int>(followed_);
  const std::vector<arch::Rope>& ropes = weights().spec().config.ropes;
  most = std::min(most, weights().context_window() - length);
  if (most < 1 || arch::table_key(ropes, length) != arch::table_key(ropes, length + most)) {
    return none;
  }
  return {.chance = rates_.chance(),
          .most = most,
          .lag = is_close() ? std::max(lag(), 1) : 1,
          .beside = beside_};
}

/// Takes a sequence, or another one where it has outgrown its rotary tables.
void ModelDrafter::start(std::span<const int> tokens, int answer) {
  if (sequence_ && !sequence_->cache.rotate_for(static_cast<int>(followed_))) {
    forget_draft();
    discard();
  }
  if (!sequence_) {
    weights().check_files();
    const std::vector<int> all(tokens.begin(), tokens.end());
    sequence_ = model_->loaded->prefix_cache.acquire(all, answer).sequence;
  }
}

void ModelDrafter::read(int rows) {
  const kernels::Eager eager;
  const Clock::time_point begin = Clock::now();
  const mx::array ids(sequence_->tokens.begin() + sequence_->cache.length(), {rows}, mx::int32);
  mx::eval(weights().forward(ids, sequence_->cache));
  weights().check_undamaged();
  const double took = seconds(begin, Clock::now());
  average(model_->row_seconds, took / rows);
  account_.invest(took);
}

void ModelDrafter::read(std::span<const int> tokens, int answer, double may_take) {
  start(tokens, answer);
  const PassCosts& costs = model_->loaded->pass_costs;
  const double row =
      model_->row_seconds > 0 ? model_->row_seconds : costs.of_many(kMostAtOnce) / kMostAtOnce;
  const auto affordable = static_cast<int>(std::clamp(may_take / row, 0.0, double{kMostAtOnce}));
  const int rows = std::min(lag() - 1, affordable);
  if (!is_close() && rows >= std::min(lag() - 1, kLeastAtOnce)) {
    read(rows);
  }
}

void ModelDrafter::read_all(std::span<const int> tokens, int answer) {
  start(tokens, answer);
  while (!is_close()) {
    read(std::min(lag() - 1, kMostAtOnce));
  }
}

/// A draft that ended the answer, say, has run its last token: that is run again.
void ModelDrafter::want_logits() {
  model::Cache& cache = sequence_->cache;
  if (lag() == 0 && !cache.trim(cache.length() - 1)) {
    throw Error(ErrorKind::Internal,
                "[engine] a draft model's cache lacks the row before its end.");
  }
}

void ModelDrafter::release() noexcept {
  if (!sequence_) {
    return;
  }
  try {
    forget_draft();
    if (sequence_) {
      model_->loaded->prefix_cache.release(sequence_);
    }
  } catch (...) {  // no memory to cache it in order, say
    discard();
  }
  sequence_.reset();
}

void ModelDrafter::give_up() noexcept {
  draft_ = {};
  margins_.clear();
  discard();
  model_.reset();
}

void ModelDrafter::append(int token, float margin, double chance) {
  sequence_->tokens.push_back(token);
  margins_.push_back(margin);
  draft_.tokens.push_back(token);
  draft_.chances.push_back(chance);
}

/// The drafters whose next token is still worth making, and what they have made.
class JointDraft {
 public:
  JointDraft(std::span<DraftPart> parts, const PlainPass& pass, double pace);

  void run() {
    while (!active_.empty()) {
      step();
    }
  }

 private:
  bool goes_on(const DraftPart& part) const;
  mx::array logits() const;
  void step();
  void choose(DraftPart& part, std::span<const float> logits);
  void add_forced(DraftPart& part);
  bool add(DraftPart& part, int token, float margin, double chance);
  void keep_those_that_go_on() {
    std::erase_if(active_, [this](const DraftPart* part) { return !goes_on(*part); });
  }

  DraftModel& model_;
  const PlainPass& pass_;
  const double pace_;
  int drafted_ = 0;  ///< tokens, of all
  std::vector<DraftPart*> active_;
};

JointDraft::JointDraft(std::span<DraftPart> parts, const PlainPass& pass, double pace)
    : model_(parts.front().drafter->model()), pass_(pass), pace_(pace) {
  for (DraftPart& part : parts) {
    ModelDrafter& one = *part.drafter;
    const Draft& draft = one.draft_;
    drafted_ += static_cast<int>(draft.tokens.size());
    for (const double chance : draft.chances) {
      part.reached *= chance;
    }
    if (part.ahead) {
      part.ahead->take(draft.tokens);
      add_forced(part);
    }
    one.want_logits();
    one.sequence_->cache.make_room(one.lag() + part.most);
    active_.push_back(&part);
  }
  keep_those_that_go_on();
}

/// Whether a part's next token is worth what it takes, here and in the pass that is to run it.
bool JointDraft::goes_on(const DraftPart& part) const {
  const std::size_t made = part.drafter->draft_.tokens.size();
  if (std::cmp_greater_equal(made, part.most) || drafted_ >= pass_.rows_left()) {
    return false;
  }
  if (made == 0 || model_.always) {
    return true;
  }
  const auto others = static_cast<int>(active_.size());
  const int rows = pass_.rows + drafted_;
  const double costs = model_.loaded->pass_costs.of_many(others) / others + part.drafter->beside_ +
                       pass_.costs.of(rows + 1) - pass_.costs.of(rows);
  return part.reached * part.drafter->rates_.chance() > pace_ * costs;
}

/// After the last token of each, a row each: all run what they lack.
mx::array JointDraft::logits() const {
  const kernels::Eager eager;
  std::vector<int> ids;
  std::vector<model::Segment> segments;
  std::vector<int> last;
  for (const DraftPart* part : active_) {
    Sequence& sequence = *part->drafter->sequence_;
    const auto from = sequence.tokens.begin() + sequence.cache.length();
    ids.insert(ids.end(), from, sequence.tokens.end());
    segments.push_back({&sequence.cache, static_cast<int>(sequence.tokens.end() - from)});
    last.push_back(static_cast<int>(ids.size()) - 1);
  }
  const model::Model& model = *model_.loaded->model;
  const Clock::time_point begin = Clock::now();
  const mx::array all(ids.begin(), {static_cast<int>(ids.size())}, mx::int32);
  const mx::array hidden = model.forward(all, segments);
  mx::array logits = mx::astype(model.logits(kernels::take_rows(hidden, last)), mx::float32);
  mx::eval(logits);
  model.check_undamaged();
  model_.loaded->pass_costs.note(static_cast<int>(ids.size()), seconds(begin, Clock::now()));
  return logits;
}

/// A token more for each.
void JointDraft::step() {
  const mx::array all = logits();
  const auto width = static_cast<std::size_t>(all.shape(1));
  const float* row = all.data<float>();
  for (DraftPart* part : active_) {
    const Clock::time_point begin = Clock::now();
    choose(*part, {row, width});
    average(part->drafter->beside_, seconds(begin, Clock::now()));
    row += width;
  }
  keep_those_that_go_on();
}

/// Adds what the answer's sampler takes from a row of logits, and what must follow it.
void JointDraft::choose(DraftPart& part, std::span<const float> logits) {
  ModelDrafter& one = *part.drafter;
  const auto known = static_cast<std::size_t>(one.known_tokens_);
  std::vector<float>& row = model_.row;
  row.assign(logits.begin(), logits.end());
  row.resize(static_cast<std::size_t>(one.vocab_size_));
  std::fill(row.begin() + static_cast<std::ptrdiff_t>(std::min(known, logits.size())), row.end(),
            -std::numeric_limits<float>::infinity());
  std::optional<TokenMask> allowed;
  if (part.ahead) {
    allowed = part.ahead->allowed();
    if (!allowed) {
      part.most = 0;
      return;
    }
  }
  const Sampler::Guess guess =
      one.sampler_.guess(row, one.draft_.tokens, allowed ? &*allowed : nullptr);
  const double chance = one.rates_.chance(guess.margin);
  if (add(part, guess.token, guess.margin, chance) && part.ahead) {
    part.ahead->take({&guess.token, 1});
    add_forced(part);
  }
}

/// Those that its constraint leaves no choice about need no pass.
void JointDraft::add_forced(DraftPart& part) {
  const std::vector<int> forced = part.ahead->forced();
  for (const int token : forced) {
    if (!add(part, token, kForced, 1.0)) {
      return;
    }
  }
  if (!forced.empty()) {
    part.ahead->take(forced);
  }
}

/// False where a draft ends before or behind this token.
bool JointDraft::add(DraftPart& part, int token, float margin, double chance) {
  ModelDrafter& one = *part.drafter;
  const bool ends_answer =
      std::ranges::find(one.options_.stop_tokens, token) != one.options_.stop_tokens.end();
  if (ends_answer || std::cmp_greater_equal(one.draft_.tokens.size(), part.most) ||
      drafted_ >= pass_.rows_left()) {
    part.most = 0;
    return false;
  }
  one.append(token, margin, chance);
  part.reached *= chance;
  ++drafted_;
  if (token >= one.weights().vocab_size()) {
    part.most = 0;
  }
  return part.most > 0;
}

void draft_together(std::span<DraftPart> parts, const PlainPass& pass, double pace) {
  JointDraft(parts, pass, pace).run();
}

}  // namespace convergio::engine
