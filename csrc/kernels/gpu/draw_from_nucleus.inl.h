// Goes on from draw_from_likeliest, where top-p wants more tokens than those: all are looked at, by
// each thread the tokens of its 8 groups. Of the keys, bit by bit, the highest is found at and
// above which enough is weighed.
if (!covered) {
  first = thread_id * 8u;
  const uint width = 1u << shift;
  least = 0;
  GPU_ROLLED for (uint bit = 0x80000000u; bit != 0; bit >>= 1) {
    float sum = 0;
    for (uint at = first; at < first + 8u && at < groups; ++at) {
      if (GPU_KEY(bests[group_id * groups + at]) >= (least | bit)) {
        for (uint id = at * width; id < at * width + width && id < vocab; ++id) {
          const float x = values[from + id];
          sum += GPU_KEY(x) >= (least | bit) ? GPU_WEIGHT(x, best, temperature) : 0.0f;
        }
      }
    }
    GPU_REDUCE(sum, GPU_SUM, GPU_ADD, totals);
    least = sum >= target ? least | bit : least;
  }

  // of those that are equal to it, the first in turn: as many as are missing
  float above = 0;
  float of_equal = 0;
  uint equals = 0;
  const uint begin = first * width;
  const uint end = begin + 8u * width < vocab ? begin + 8u * width : vocab;
  for (uint id = begin; id < end; ++id) {
    const float x = values[from + id];
    const float weight = GPU_WEIGHT(x, best, temperature);
    above += GPU_KEY(x) > least ? weight : 0.0f;
    equals += GPU_KEY(x) == least ? 1u : 0u;
    of_equal = GPU_KEY(x) == least ? weight : of_equal;
  }
  GPU_REDUCE(above, GPU_SUM, GPU_ADD, totals);
  GPU_REDUCE(of_equal, GPU_MAX, GPU_HIGHER, totals);
  uint rank = 0;
  uint all_equals = 0;
  GPU_SCAN(equals, rank, all_equals, counts);
  float sum = 0;
  uint turned = rank;
  for (uint id = begin; id < end; ++id) {
    const float x = values[from + id];
    const float weight = GPU_WEIGHT(x, best, temperature);
    const bool equal = GPU_KEY(x) == least;
    const bool kept =
        equal ? above + static_cast<float>(turned) * of_equal < target : GPU_KEY(x) > least;
    turned += equal ? 1u : 0u;
    sum += kept && weight >= min_p ? weight : 0.0f;
  }

  // the draw, as in draw_from_all
  float before = 0;
  float kept_in_all = 0;
  GPU_SCAN(sum, before, kept_in_all, totals);
  const float part = uniforms[group_id] * kept_in_all;
  uint chosen = sum > 0 && before <= part ? thread_id : 0u;
  GPU_REDUCE(chosen, GPU_MAX, GPU_HIGHER, counts);
  if (thread_id == chosen) {
    uint drawn = begin;
    for (uint id = begin; id < end; ++id) {
      const float x = values[from + id];
      const float weight = GPU_WEIGHT(x, best, temperature);
      const bool equal = GPU_KEY(x) == least;
      const bool kept =
          equal ? above + static_cast<float>(rank) * of_equal < target : GPU_KEY(x) > least;
      rank += equal ? 1u : 0u;
      if (kept && weight > 0 && weight >= min_p) {
        drawn = before <= part ? id : drawn;
        before += weight;
      }
    }
    token[group_id] = drawn;
    check[group_id] = best > -GPU_INFINITY && best < GPU_INFINITY ? kept_in_all : GPU_INFINITY;
  }
}
