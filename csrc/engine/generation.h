#pragma once

#include <memory>

#include "engine/answer.h"
#include "engine/decoder.h"
#include "engine/worker.h"

namespace convergio::engine {

/// Answers one request: prefills its prompt in chunks, then lets a Decoder decide tokens, a slice
/// for each.
class Generation : public Task {
 public:
  /// Throws Error (InvalidRequest, ContextLength) before any work.
  Generation(std::shared_ptr<LoadedModel> loaded, std::shared_ptr<Request> request);
  ~Generation() override;  ///< an unfinished request fails

  bool step() override;
  bool over() const override { return answer_.request().over(); }
  bool ready() const override { return decoder_->ready(); }
  void cancel() override { answer_.request().cancel(); }

 private:
  void run_pass();
  int next_chunk(int missing);
  void recompute();
  void end_slice(const Error& error) noexcept;

  Answer answer_;
  std::unique_ptr<Decoder> decoder_;
};

}  // namespace convergio::engine
