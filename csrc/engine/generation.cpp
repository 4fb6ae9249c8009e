#include "engine/generation.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "engine/failure.h"
#include "engine/reserve.h"
#include "kernels/mlx/primitive.h"
#include "kernels/mlx/view.h"
#include "mlx/stream.h"
#include "mlx/transforms.h"

namespace convergio::engine {

namespace {

/// Made beforehand: a destructor may not throw.
const Error kShutDown(ErrorKind::Cancelled,
                      "[engine] the engine was shut down during the request.");

/// What a failed evaluation had begun ends before the memory that it uses is freed.
void wait_after(const Error& error) {
  if (error.kind() != ErrorKind::OutOfMemory && error.kind() != ErrorKind::InferenceFailed) {
    return;
  }
  try {
    mx::synchronize();
  } catch (...) {  // the same failure again
  }
}

}  // namespace

Generation::Generation(std::shared_ptr<LoadedModel> loaded, std::shared_ptr<Request> request)
    : answer_(std::move(loaded), std::move(request)), decoder_(make_decoder(answer_)) {}

Generation::~Generation() {
  if (!answer_.finished()) {
    decoder_->reset();
    answer_.fail(kShutDown);
  }
}

bool Generation::step() {
  try {
    answer_.request().check();
    if (!answer_.active()) {
      answer_.start();
    }
    if (decoder_->pending()) {
      decoder_->resume();
    } else {
      run_pass();
    }
  } catch (...) {
    end_slice(classify(std::current_exception(), ErrorKind::InferenceFailed));
  }
  if (answer_.finished()) {
    decoder_->reset();
  }
  return !answer_.finished();
}

/// After a slice that threw: the request ends, or starts over with more memory.
void Generation::end_slice(const Error& error) noexcept {
  wait_after(error);
  if (error.kind() == ErrorKind::Cancelled) {
    answer_.finish(Finish::Cancelled);
  } else if (error.kind() != ErrorKind::OutOfMemory || !answer_.restart()) {
    answer_.fail(error);
  } else {
    decoder_->reset();
  }
}

/// Runs the tokens that the cache lacks, a chunk at most; the logits after the last of them go to
/// the decoder.
void Generation::run_pass() {
  if (!answer_.cache().rotate_for(static_cast<int>(answer_.tokens().size()))) {
    recompute();
  }
  model::Cache& cache = answer_.cache();
  const std::vector<int>& tokens = answer_.tokens();
  const auto from = tokens.begin() + cache.length();
  const auto missing = static_cast<int>(tokens.end() - from);
  const int n = next_chunk(missing);
  const bool last = n == missing;
  std::optional<kernels::Eager> eager;
  if (!last || !decoder_->overlaps()) {
    eager.emplace();
  } else {
    reserve_for_graphs();
  }
  const mx::array hidden =
      forward(answer_, mx::array(from, {n}, mx::int32), /*interruptible=*/n > 1);
  if (std::ranges::find(answer_.checkpoints(), cache.length()) != answer_.checkpoints().end()) {
    answer_.sequence().checkpoint();
  }
  if (last) {
    decoder_->decode(answer_.model().logits(kernels::last_row(hidden)));
    return;
  }
  mx::eval(cache.arrays());
  answer_.model().check_undamaged();
  answer_.note_prefill();
}

/// How many of the missing tokens are run in one pass: a chunk, or up to a checkpoint.
int Generation::next_chunk(int missing) {
  int n = std::min(answer_.options().prefill_chunk, missing);
  for (const int at : answer_.checkpoints()) {
    const int left = at - answer_.cache().length();
    if (left > 0) {
      n = std::min(n, left);
    }
  }
  return n;
}

/// Empties the cache of a sequence that has outgrown its rotary tables.
void Generation::recompute() {
  const auto length = static_cast<int>(answer_.tokens().size());
  const int left = answer_.options().max_tokens - answer_.stats().output_tokens;
  answer_.cache() = answer_.model().make_cache(length);
  answer_.cache().reserve(length + std::min(left, kReservedAnswer));
  answer_.sequence().checkpoints.clear();
}

}  // namespace convergio::engine
