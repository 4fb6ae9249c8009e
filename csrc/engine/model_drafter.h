#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "engine/constraint.h"
#include "engine/draft_model.h"
#include "engine/drafter.h"
#include "engine/request.h"
#include "engine/sampler.h"
#include "engine/speculation.h"

namespace convergio::engine {

/// Drafts what a smaller model would answer, to one request: it chooses with the request's own
/// sampler, and so with the random numbers that the answer is drawn with, and within what its
/// constraint allows. Its KV cache follows the sequence, and goes back where a draft was wrong.
class ModelDrafter : public Drafter {
 public:
  /// `sampler` and `options` are the request's, and outlive it; `vocab_size` is that of the model
  /// that answers.
  ModelDrafter(std::shared_ptr<DraftModel> model, Sampler& sampler, const RequestOptions& options,
               int vocab_size);
  ~ModelDrafter() override { release(); }

  void follow(std::span<const int> tokens) override;
  /// What draft_together() made, as far as it may still come.
  Draft propose(std::span<const int> tokens, int most) const override;

  DraftModel& model() const { return *model_; }
  DraftAccount& account() { return account_; }
  const DraftAccount& account() const { return account_; }
  std::size_t bytes() const { return sequence_ ? sequence_->bytes() : 0; }

  /// What can be drafted behind the tokens it follows, `most` at most; a prospect of none where the
  /// model cannot go on there.
  Prospect prospect(int most) const;

  /// Reads some more of the tokens it follows, which takes no more than about so many seconds; or
  /// all that it lacks. The cache gets room for `answer` tokens more.
  void read(std::span<const int> tokens, int answer, double may_take);
  void read_all(std::span<const int> tokens, int answer);
  /// Whether it lacks no more than a pass can have beside a draft.
  bool is_close() const;

  /// The request is done with it: others may go on from its cache.
  void release() noexcept;
  /// What it has is not to be used, and it drafts no more.
  void give_up() noexcept;
  bool has_given_up() const { return model_ == nullptr; }

 private:
  friend class JointDraft;

  const model::Model& weights() const { return *model_->loaded->model; }
  int lag() const;
  void take(int token);
  void forget_draft();
  void start(std::span<const int> tokens, int answer);
  void read(int rows);
  void want_logits();
  void discard();
  void append(int token, float margin, double chance);

  std::shared_ptr<DraftModel> model_;  ///< nullptr once it has given up
  Sampler& sampler_;
  const RequestOptions& options_;
  const int vocab_size_;
  const int known_tokens_;
  DraftRates rates_;
  DraftAccount account_;
  std::shared_ptr<Sequence> sequence_;  ///< tokens followed and drafted, and what is read of them
  std::size_t followed_ = 0;            ///< tokens
  bool fits_ = true;                    ///< the model knows all of them
  Draft draft_;                         ///< what may still come of what was drafted
  std::vector<float> margins_;          ///< of its tokens
  double beside_ = 0;                   ///< seconds that choosing a token takes
};

/// Of one request that is to get a draft.
struct DraftPart {
  ModelDrafter* drafter;
  std::unique_ptr<Lookahead> ahead;  ///< nullptr: nothing constrains it
  int most;                          ///< tokens
  double reached = 1;                ///< the chance that all drafted so far come
};

/// Has the parts' drafters, of one model, draft together: each pass of it makes a token for all
/// whose next token is worth what it takes, where the pass that is to run them makes so many tokens
/// a second as `pace`. Throws what a pass of it throws; then none of them has a draft to go on
/// with.
void draft_together(std::span<DraftPart> parts, const PlainPass& pass, double pace);

}  // namespace convergio::engine
