#pragma once

#include <memory>
#include <span>

#include "engine/answer.h"
#include "mlx/array.h"

namespace convergio::engine {

/// How the next tokens of an answer are decided, given the logits after the last one.
class Decoder {
 public:
  Decoder() = default;
  virtual ~Decoder() = default;
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  /// Before a pass: takes what follows the last token whatever its logits are.
  virtual void take_certain() {}

  /// At most `most` tokens that may follow, for the next pass to run too: those that must, or that
  /// stood behind the last ones before.
  virtual Draft look_up(int /*most*/) { return {}; }

  /// Whether a model may draft others in their place; and what then constrains it, nullptr where
  /// nothing does that is known before.
  virtual bool lets_draft() const { return false; }
  virtual std::unique_ptr<Lookahead> look_ahead() { return nullptr; }

  /// Before decode(), while `logits` (of any rows) may still be computed: what needs none of them.
  virtual void prepare(const mx::array& /*logits*/) {}

  /// Decides tokens from the logits after the sequence's last token and those after each token that
  /// was drafted behind it (Answer::row), or begins to.
  virtual void decode(const mx::array& logits) = 0;

  /// True where decode() has begun what resume() completes, before the next pass.
  virtual bool pending() const { return false; }
  virtual void resume() {}

  /// False where decode() or resume() would only wait. Costs next to nothing.
  virtual bool ready() const { return true; }

  /// True where the pass before decode() is to be a graph, computed while prepare() works.
  virtual bool overlaps() const { return false; }

  /// Drops what is pending: the sequence's tokens will be computed again, or never.
  virtual void reset() noexcept {}
};

/// - A constraint: it computes what may follow while the logits are computed, unless a step is so
///   small that handing it to another thread takes longer than the step.
/// - A GPU that can sample: the pass after a token is queued before the token is read.
/// - Otherwise the token is sampled from the logits where they are computed.
std::unique_ptr<Decoder> make_decoder(Answer& answer);

/// Runs ids, the last `drafted` of which are drafted, after the cache, with such marks in their
/// segment. A forward that is interrupted, by the end of the request, or fails leaves the cache as
/// it was.
mx::array forward(Answer& answer, const mx::array& ids, int drafted, bool interruptible,
                  std::span<const int> marks = {});

}  // namespace convergio::engine
