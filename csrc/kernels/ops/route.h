#pragma once

#include <cstdint>

#include "formats/experts.h"

namespace convergio::kernels {

/// One of a row's experts.
struct Choice {
  int expert;
  float weight;
};

/// The floats of `work` that a row needs.
std::int64_t route_work(const formats::Router& router);

/// The experts of one row, `router.chosen` of them, the best first: from its router's logits and,
/// where `correction` is not null, what is added to scores to choose by.
void route_row(const formats::Router& router, const float* logits, const float* correction,
               float* work, Choice* out);

}  // namespace convergio::kernels
