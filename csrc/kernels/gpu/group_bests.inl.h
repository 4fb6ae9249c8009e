// The best of each group of tokens, and the sum of their weights beside it. A simdgroup takes one.
//   logits (rows, vocab); settings: temperature; sizes: vocab, groups, shift (a group has
//   1 << shift tokens), rows, negated (1: logits are)
//   -> values (rows, vocab): the logits as float32; bests (rows, groups); sums (rows, groups): not
//   finite where a logit is none
const uint vocab = sizes[0];
const uint groups = sizes[1];
const uint width = 1u << sizes[2];
const uint rows = sizes[3];
const float sign = sizes[4] != 0 ? -1.0f : 1.0f;
const uint mine = group_id * GPU_SIMDS + simd_id;
if (mine < rows * groups) {
  const uint from = mine / groups * vocab;
  const uint first = mine % groups * width;
  float best = -GPU_INFINITY;
  for (uint i = first + lane_id; i < first + width && i < vocab; i += GPU_LANES) {
    const float x = sign * static_cast<float>(logits[from + i]);
    values[from + i] = x;
    best = x > best ? x : best;
  }
  best = GPU_MAX(best);
  float sum = 0;
  for (uint i = first + lane_id; i < first + width && i < vocab; i += GPU_LANES) {
    const float x = sign * static_cast<float>(logits[from + i]);
    sum += x == -GPU_INFINITY ? 0.0f : GPU_WEIGHT(x, best, settings[0]);
  }
  sum = GPU_SUM(sum);
  if (lane_id == 0) {
    bests[mine] = best;
    sums[mine] = sum;
  }
}
