#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

#include "engine/memory.h"
#include "engine/pace.h"
#include "engine/pass_costs.h"
#include "engine/prefix_cache.h"
#include "model/forward.h"

namespace convergio::engine {

struct DraftModel;

/// A model with the prefix cache of the sequences that ran through it, and what its passes take.
struct LoadedModel {
  LoadedModel(std::shared_ptr<const model::Model> loaded, std::size_t prefix_cache_bytes)
      : room(loaded->weight_bytes()),
        model(std::move(loaded)),
        prefix_cache(model, prefix_cache_bytes) {}

  const WeightsRoom room;
  const std::shared_ptr<const model::Model> model;
  PrefixCache prefix_cache;
  PassCosts pass_costs;  ///< touched by the worker's thread alone
  Pace pace;
  std::atomic<std::size_t> pass_bytes = 0;  ///< what a pass takes beside weights and KV caches
  std::shared_ptr<DraftModel> draft;        ///< nullptr: none drafts for it
};

}  // namespace convergio::engine
