// Draws a token among the likeliest that top-k, top-p and min-p leave. A group of threads takes a
// row. The likeliest tokens are in the groups of tokens whose bests are highest: those groups are
// selected, then the tokens of theirs.
//   values (rows, vocab), bests and sums (rows, groups) of group_bests; settings: temperature,
//   top_p, min_p; uniforms (rows,); sizes: vocab, groups (4096 at most), shift (7 at most), rows,
//   negated, count (of the likeliest, 128 at most), alone (1: no others count, as after top-k)
//   -> token (rows,), check (rows,): not finite where there is none
// draw_from_nucleus goes on where top-p wants more tokens than these.
GPU_SHARED float totals[2u * GPU_SIMDS];
GPU_SHARED uint counts[2u * GPU_SIMDS];
GPU_SHARED uint likely_groups[128];
GPU_SHARED uint ids[128];  // of the likeliest, ascending
GPU_SHARED float likely[128];
GPU_SHARED float weights[128];
uint turn = 0;
const uint vocab = sizes[0];
const uint groups = sizes[1];
const uint shift = sizes[2];
const uint count = sizes[5];
const bool alone = sizes[6] != 0;
const float temperature = settings[0];
const float top_p = settings[1];
const float min_p = settings[2];
const uint from = group_id * vocab;
uint keys[32];

// the groups
uint first = thread_id * 8u;
float best = -GPU_INFINITY;
for (uint i = 0; i < 8u; ++i) {
  keys[i] = 0;
  if (first + i < groups) {
    const float x = bests[group_id * groups + first + i];
    keys[i] = GPU_KEY(x);
    best = GPU_HIGHER(x, best);
  }
}
GPU_REDUCE(best, GPU_MAX, GPU_HIGHER, totals);
float all = 0;  // the sum of the weights of all tokens
for (uint i = first; i < first + 8u && i < groups; ++i) {
  all += sums[group_id * groups + i] * GPU_WEIGHT(bests[group_id * groups + i], best, temperature);
}
GPU_REDUCE(all, GPU_SUM, GPU_ADD, totals);
uint least = 0;
uint last = 0;
{
  GPU_SELECT(keys, 8u, first, count, least, last);
}
uint selected = 0;
for (uint i = 0; i < 8u; ++i) {
  selected += GPU_SELECTED(keys[i], first + i, least, last) ? 1u : 0u;
}
uint slot = 0;
uint found_groups = 0;
GPU_SCAN(selected, slot, found_groups, counts);
for (uint i = 0; i < 8u; ++i) {
  if (GPU_SELECTED(keys[i], first + i, least, last)) {
    likely_groups[slot] = first + i;
    ++slot;
  }
}
GPU_BARRIER();

// the tokens of those groups: in turn, so that of equals the lower stays first
const uint items = found_groups << shift;
const uint each = (items + GPU_THREADS - 1u) / GPU_THREADS;  // 32 at most
first = thread_id * each;
for (uint i = 0; i < 32u; ++i) {
  keys[i] = 0;
  if (i < each && first + i < items) {
    const uint item = first + i;
    const uint id = (likely_groups[item >> shift] << shift) + (item & ((1u << shift) - 1u));
    if (id < vocab) {
      const float x = values[from + id];
      keys[i] = GPU_KEY(x);
    }
  }
}
{
  GPU_SELECT(keys, 32u, first, count, least, last);
}
selected = 0;
for (uint i = 0; i < 32u; ++i) {
  selected += GPU_SELECTED(keys[i], first + i, least, last) ? 1u : 0u;
}
uint found = 0;
GPU_SCAN(selected, slot, found, counts);
for (uint i = 0; i < 32u; ++i) {
  if (GPU_SELECTED(keys[i], first + i, least, last)) {
    const uint item = first + i;
    const uint id = (likely_groups[item >> shift] << shift) + (item & ((1u << shift) - 1u));
    const float x = values[from + id];
    ids[slot] = id;
    likely[slot] = x;
    weights[slot] = GPU_WEIGHT(x, best, temperature);
    ++slot;
  }
}
GPU_BARRIER();

float own = 0;
for (uint i = 0; i < found; ++i) {
  own += weights[i];
}
const float target = top_p * (alone ? own : all);
const bool covered = alone || !(own < target);
if (covered) {
  // each thread its token: what is likelier weighs `before`
  float weight = 0;
  if (thread_id < found) {
    float before = 0;
    const float x = likely[thread_id];
    for (uint i = 0; i < found; ++i) {
      before += likely[i] > x || (likely[i] == x && i < thread_id) ? weights[i] : 0.0f;
    }
    weight = weights[thread_id];
    weight = weight < min_p || (top_p < 1 && before > 0 && before >= target) ? 0.0f : weight;
  }
  GPU_BARRIER();
  if (thread_id < found) {
    weights[thread_id] = weight;
  }
  GPU_BARRIER();
  if (thread_id == 0) {
    float sum = 0;
    for (uint i = 0; i < found; ++i) {
      sum += weights[i];
    }
    const float part = uniforms[group_id] * sum;
    float reached = 0;
    uint chosen = 0;
    for (uint i = 0; i < found; ++i) {
      chosen = weights[i] > 0 && reached <= part ? i : chosen;
      reached += weights[i];
    }
    token[group_id] = ids[chosen];
    // the sum of all is not below infinity where one of them is no number
    const bool finite = best > -GPU_INFINITY && best < GPU_INFINITY && all < GPU_INFINITY;
    check[group_id] = finite ? sum : GPU_INFINITY;
  }
}
