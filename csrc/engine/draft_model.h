#pragma once

#include <atomic>
#include <memory>
#include <utility>
#include <vector>

#include "engine/draft_account.h"
#include "engine/draft_rates.h"
#include "engine/loaded_model.h"

namespace convergio::engine {

/// A smaller model of the same vocabulary, loaded to draft for another one, and what is known of
/// its drafts from all requests. Its sequences are in a prefix cache of its own, so that what it
/// has read of a prompt is reused too. But for `always`, touched by the worker's thread alone.
struct DraftModel {
  explicit DraftModel(std::shared_ptr<LoadedModel> model) : loaded(std::move(model)) {}

  const std::shared_ptr<LoadedModel> loaded;
  DraftRates rates;
  DraftCredit credit;
  double row_seconds = 0;  ///< of a row where many are run at once; 0: none were
  std::vector<float> row;  ///< logits of the other model's width, while a token is chosen
  /// Draft as many tokens as a pass has rows for, whatever that costs: for tests and measurements.
  std::atomic<bool> always = false;
};

}  // namespace convergio::engine
