#pragma once

#include <array>
#include <cstddef>

#include "engine/hit_rate.h"

namespace convergio::engine {

/// How often the tokens that a model drafts are right, of late, by how sure it is of them: the
/// margin of a token's logit over the next one's. Those of one request begin with what is known of
/// all.
class DraftRates {
 public:
  /// Of all requests.
  DraftRates() = default;
  /// Of one; `all` learns from it too.
  explicit DraftRates(DraftRates& all) : all_(&all) {}

  void note(float margin, bool is_right);
  /// A token came that was not drafted: what was found before means less.
  void fade();

  double chance(float margin) const;
  double chance() const;  ///< of a token of which no more is known

 private:
  static constexpr std::size_t kKinds = 7;
  static std::size_t kind_of(float margin);
  double chance_of(std::size_t kind) const;

  DraftRates* all_ = nullptr;
  std::array<HitRate, kKinds> rates_{};
  HitRate mean_{};
};

}  // namespace convergio::engine
