#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>

#include "engine/answer.h"
#include "engine/decoder.h"
#include "engine/pass.h"
#include "engine/worker.h"

namespace convergio::engine {

/// Requests that decode together in a pass at most.
constexpr int kMostTogether = 16;

/// Answers one request: prefills its prompt in chunks, then lets a Decoder decide tokens, one or
/// more after each pass. On our own kernels, whose rows do not depend on each other, requests that
/// decode share their passes, one that prefills adds a few rows to them, and rows that are left run
/// tokens that are likely to follow.
class Generation : public Task {
 public:
  /// Throws Error (InvalidRequest, ContextLength, OutOfMemory) before any work.
  Generation(const std::shared_ptr<LoadedModel>& loaded, const std::shared_ptr<Request>& request);
  ~Generation() override;  ///< an unfinished request fails

  void step(const Tasks& tasks) override;
  bool finished() const override { return answer_.finished(); }
  bool joins(const Tasks& tasks) const override;
  bool over() const override { return answer_.request().over(); }
  std::size_t level() const override;
  std::size_t reserves() const override;
  std::size_t step_bytes() const override { return answer_.pass_bytes(); }
  bool ready() const override { return decoder_->ready(); }
  bool held_up() const override { return !answer_.may_start(); }
  void cancel() override { answer_.request().cancel(); }

 private:
  using Company = std::span<Generation* const>;

  static void run(Company company) noexcept;
  static void run_timed(Company company) noexcept;
  static std::optional<mx::array> run_pass(Company company);
  static std::size_t those_left(std::span<Generation*> company);

  template <class Part>
  void attempt(const Part& part) noexcept;
  bool decodes() const;
  bool begin_slice();
  int rows_beside(int others) const;
  void choose_share(int others);
  void make_room();
  void end_share(const std::optional<mx::array>& logits);
  void end_slice() noexcept;
  void follow_device();
  void recompute();
  void handle(const Error& error) noexcept;
  void start_over_alone(const Error& error) noexcept;

  Answer answer_;
  const std::size_t reachable_;  ///< bytes of its KV cache
  std::unique_ptr<Decoder> decoder_;
  Share share_{};         ///< of the pass at hand
  bool counted_ = false;  ///< among those that are decoding
  bool alone_ = false;    ///< a pass with others failed: it shares no more of them
  int device_failures_;   ///< of which it knows
  int failed_at_ = -1;    ///< tokens that it had when it met the last of them
};

}  // namespace convergio::engine
