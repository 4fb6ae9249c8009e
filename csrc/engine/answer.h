#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/draft.h"
#include "engine/draft_account.h"
#include "engine/loaded_model.h"
#include "engine/model_drafter.h"
#include "engine/ngram_drafter.h"
#include "engine/request.h"
#include "engine/sampler.h"
#include "mlx/array.h"
#include "model/forward.h"

namespace convergio::engine {

namespace mx = mlx::core;

/// Tokens of an answer that get room in the cache from the start.
constexpr int kReservedAnswer = 512;

/// Bytes of KV cache that a request may come to need: for prompt and answer, with the room that a
/// buffer that grows has in advance, and for the same tokens in a model that drafts. Of an
/// open-ended answer that is what it begins with.
std::size_t reachable_bytes(const LoadedModel& loaded, const Request& request);

/// A request while it is answered: its sequence, its sampler, its statistics and whether it has
/// ended. A Generation runs passes over the sequence, a Decoder adds tokens to it.
class Answer {
 public:
  /// Throws Error (InvalidRequest, ContextLength).
  Answer(std::shared_ptr<LoadedModel> loaded, std::shared_ptr<Request> request);

  const model::Model& model() const { return *loaded_->model; }
  std::size_t pass_bytes() const { return loaded_->pass_bytes; }
  Pace& pace() const { return loaded_->pace; }
  Request& request() const { return *request_; }
  const RequestOptions& options() const { return request_->options(); }
  /// Of the request among others (Task::level).
  std::size_t level() const { return static_cast<std::size_t>(options().priority); }
  RequestStats& stats() { return stats_; }
  const RequestStats& stats() const { return stats_; }
  Sampler& sampler() { return sampler_; }

  /// Between start() and the end, or restart().
  bool active() const { return sequence_ != nullptr; }
  bool finished() const { return finished_; }
  Sequence& sequence() { return *sequence_; }
  model::Cache& cache() { return sequence_->cache; }
  std::vector<int>& tokens() { return sequence_->tokens; }
  /// Tokens that the cache lacks.
  int missing() const {
    return static_cast<int>(sequence_->tokens.size()) - sequence_->cache.length();
  }

  PassCosts& pass_costs() { return loaded_->pass_costs; }

  /// Takes the snapshots that a pass with such marks has come to.
  void take_snapshots(std::span<const int> marks) {
    loaded_->prefix_cache.take_snapshots(*sequence_, marks);
  }

  /// Bytes of its KV cache and snapshots.
  std::size_t held_bytes() const {
    return stats_.kv_bytes + (sequence_ ? sequence_->snapshots.bytes() : 0);
  }

  /// False while another request computes what start() could take a good part of.
  bool may_start() const;

  /// Takes a sequence for prompt and answer so far from the prefix cache.
  void start();

  /// Lets go of the sequence, so that start() takes one again and its tokens are run again; false
  /// where constraint, sampler and caller may not all have seen the last token.
  bool restart() noexcept;

  /// The same once all memory that can be freed was; false where none was, too.
  bool restart_with_memory() noexcept;

  /// Between these the constraint may know of more than what follows from the tokens.
  void begin_asking() { deciding_ = true; }
  void end_asking() { deciding_ = false; }

  /// A part of the prompt has been computed.
  void note_prefill();

  /// How many tokens, of `most`, a pass can run behind the last one that could be part of the
  /// answer, and with the same rotary tables. None where the model has states, which go on.
  int most_drafted(int most);

  /// At most so many tokens that stood behind the last ones before, none of which ends the answer.
  /// Where such drafts have lost too much, only those that are sure.
  Draft look_up(int most);

  /// Has a smaller model draft for it; nullptr where none is loaded or it is not to.
  ModelDrafter* model_drafter();

  /// Whether drafts are run whatever they cost.
  bool drafts_always() const;

  DraftAccount& lookup_account() { return lookup_account_; }
  double elapsed() const { return stats_.prefill + stats_.decode; }
  /// Tokens that the caches get room for behind the last one.
  int room() const;

  /// The next pass runs all missing tokens, and these behind them, on this account. Its logits
  /// after the last token and after each drafted one are the rows that row() counts.
  void begin_pass(std::vector<int> drafted, DraftAccount& account);
  const std::vector<int>& drafted() const { return drafted_; }

  /// The drafted tokens took so many seconds of the pass; each that comes saves `each`.
  void charge_draft(double took, double each) { pass_account_->charge(took, each); }

  /// Which row of the pass's logits the next token is decided from; none once the last token was
  /// not the one that the pass had drafted for its place.
  std::optional<int> row() const { return row_; }

  /// One token is decided: it ends the answer or is appended.
  void take(Sample sample, bool forced = false);

  void finish(Finish finish) noexcept;
  void fail(const Error& error) noexcept;

 private:
  void release(bool sound) noexcept;
  void compare_draft(int token);
  void drop_draft();
  void count();

  std::shared_ptr<LoadedModel> loaded_;
  std::shared_ptr<Request> request_;
  Sampler sampler_;
  std::vector<int> so_far_;             ///< prompt and answer, where there is no sequence
  mutable bool may_start_ = false;      ///< what was awaited is there, or it has started before
  mutable Awaited awaited_;             ///< before the first start
  std::shared_ptr<Sequence> sequence_;  ///< nullptr before the first step and after the last
  std::optional<NgramDrafter> lookup_;
  DraftAccount lookup_account_;
  std::unique_ptr<ModelDrafter> model_drafter_;
  DraftAccount* pass_account_ = &lookup_account_;  ///< of the drafted tokens of the pass at hand
  std::vector<int> drafted_;  ///< of the pass at hand; the cache holds those not yet taken, too
  std::optional<int> row_;
  bool snapshots_ = true;  ///< are taken: until memory ran out
  bool deciding_ = false;  ///< some, but not all, have learnt of the next token
  bool finished_ = false;
  Clock::time_point started_;
  Clock::time_point first_token_;
  RequestStats stats_;
};

}  // namespace convergio::engine
