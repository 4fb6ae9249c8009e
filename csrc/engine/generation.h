#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "engine/loaded_model.h"
#include "engine/request.h"
#include "engine/sampler.h"
#include "engine/worker.h"
#include "mlx/array.h"
#include "model/forward.h"

namespace convergio::engine {

namespace mx = mlx::core;

/// Throws Error where there are no tokens, one is not of the vocabulary, or they exceed the context
/// window.
void check_prompt(const model::Model& model, const std::vector<int>& tokens);

/// Answers one request: prefill in chunks, then a token a step. On a GPU the next step is queued
/// before the last token is read; where a constraint must see that token first, it works while the
/// step is computed. On a CPU a step is computed where it is called, but for a constraint's sake.
class Generation : public Task {
 public:
  /// Throws Error (InvalidRequest, ContextLength) before any work.
  Generation(std::shared_ptr<LoadedModel> loaded, std::shared_ptr<Request> request);
  ~Generation() override;  ///< an unfinished request fails

  bool step() override;
  bool over() const override { return request_->over(); }
  void cancel() override { request_->cancel(); }

 private:
  void start();
  bool start_over();
  void advance();
  int next_chunk(int missing) const;
  void advance_ahead();
  mx::array pass(const mx::array& ids, bool interruptible);
  void queue(const mx::array& logits);
  void choose(const mx::array& logits);
  Constraint::Next consult(const mx::array& logits);
  Sample sample(const mx::array& logits, const TokenMask* allowed);
  void take(Sample sample, bool forced = false);
  void finish(Finish finish);
  void fail(const Error& error);
  void release(bool sound);
  model::Cache& cache() { return sequence_->cache; }
  std::vector<int>& tokens() { return sequence_->tokens; }

  std::shared_ptr<LoadedModel> loaded_;
  const model::Model& model_;
  std::shared_ptr<Request> request_;
  const RequestOptions& options_;
  const bool on_device_;  ///< tokens are chosen on the device,
  const bool ahead_;      ///< one step ahead
  const bool beside_;     ///< the constraint works while a CPU computes
  Sampler sampler_;
  std::vector<int> so_far_;             ///< prompt and answer, where there is no sequence
  std::shared_ptr<Sequence> sequence_;  ///< nullptr before the first step and after the last
  std::vector<int> marks_;              ///< lengths at which the sliding layers' rows are copied
  std::optional<mx::array> queued_;     ///< the token being computed; the cache has those before it
  int queued_tokens_ = 0;               ///< tokens queued so far
  std::size_t told_;                    ///< tokens that the constraint knows of
  std::deque<int> forced_;              ///< by the constraint, still to be sampled
  bool finished_ = false;
  Clock::time_point started_;
  Clock::time_point first_token_;
  RequestStats stats_;
};

}  // namespace convergio::engine
