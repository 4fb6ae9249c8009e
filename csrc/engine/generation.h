#pragma once

#include <memory>
#include <optional>
#include <vector>

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
/// before the last token is read.
class Generation : public Task {
 public:
  /// Throws Error (InvalidRequest, ContextLength) before any work.
  Generation(std::shared_ptr<const model::Model> model, std::shared_ptr<Request> request);
  ~Generation() override;  ///< an unfinished request fails

  bool step() override;
  bool over() const override { return request_->over(); }
  void cancel() override { request_->cancel(); }

 private:
  void prefill();
  void decode();
  void decode_ahead();
  mx::array pass(const mx::array& ids, bool interruptible);
  void choose(const mx::array& logits);
  void queue(const mx::array& logits);
  void take(Sample sample);
  void finish(Finish finish);
  void fail(const Error& error);

  std::shared_ptr<const model::Model> model_;
  std::shared_ptr<Request> request_;
  const RequestOptions& options_;
  const bool ahead_;  ///< tokens are chosen on the device, one step ahead
  std::optional<model::Cache> cache_;
  Sampler sampler_;
  std::optional<mx::array> queued_;  ///< the token being computed
  int queued_tokens_ = 0;            ///< tokens queued so far
  int last_token_ = 0;
  int prefilled_ = 0;
  bool finished_ = false;
  Clock::time_point started_;
  Clock::time_point first_token_;
  RequestStats stats_;
};

}  // namespace convergio::engine
