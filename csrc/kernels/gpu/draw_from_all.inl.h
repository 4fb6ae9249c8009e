// Draws a token among all that min-p leaves. A group of threads takes a row; each thread 8 groups
// of tokens, one after the other.
//   values (rows, vocab), bests and sums (rows, groups) of group_bests; settings: temperature,
//   top_p, min_p; uniforms (rows,); sizes: vocab, groups, shift, rows, negated
//   -> token (rows,), check (rows,): not finite where there is none
GPU_SHARED float totals[2u * GPU_SIMDS];
GPU_SHARED uint counts[2u * GPU_SIMDS];
uint turn = 0;
const uint vocab = sizes[0];
const uint groups = sizes[1];
const uint width = 1u << sizes[2];
const float temperature = settings[0];
const float min_p = settings[2];
const uint from = group_id * vocab;
const uint first = thread_id * 8u;  // of this thread's groups

float best = -GPU_INFINITY;
for (uint i = first; i < first + 8u && i < groups; ++i) {
  best = GPU_HIGHER(bests[group_id * groups + i], best);
}
GPU_REDUCE(best, GPU_MAX, GPU_HIGHER, totals);

// the weights of this thread's groups
float own[8];
float sum = 0;
for (uint i = 0; i < 8u; ++i) {
  own[i] = 0;
  if (first + i < groups) {
    const uint at = group_id * groups + first + i;
    const float highest = GPU_WEIGHT(bests[at], best, temperature);
    own[i] = sums[at] * highest;
    if (min_p > 0 && own[i] < GPU_INFINITY) {  // else a logit is not finite: left to the check
      own[i] = 0;
      const uint begin = (first + i) * width;
      for (uint id = begin; highest >= min_p && id < begin + width && id < vocab; ++id) {
        const float x = values[from + id];
        const float weight = GPU_WEIGHT(x, best, temperature);
        own[i] += weight < min_p ? 0.0f : weight;
      }
    }
    sum += own[i];
  }
}

// the last thread that begins before the sum passes its part of all, then the last group of its,
// and the last token, that do: so there is one, whatever is rounded
float before = 0;
float all = 0;
GPU_SCAN(sum, before, all, totals);
const float target = uniforms[group_id] * all;
uint chosen = sum > 0 && before <= target ? thread_id : 0u;
GPU_REDUCE(chosen, GPU_MAX, GPU_HIGHER, counts);
if (thread_id == chosen) {
  uint group = 0;
  float reached = before;
  for (uint i = 0; i < 8u; ++i) {
    if (own[i] > 0 && reached <= target) {
      group = i;
      before = reached;
    }
    reached += own[i];
  }
  const uint begin = (first + group) * width;
  uint drawn = begin;
  reached = before;
  for (uint id = begin; id < begin + width && id < vocab; ++id) {
    const float x = values[from + id];
    const float weight = GPU_WEIGHT(x, best, temperature);
    if (weight > 0 && weight >= min_p) {
      drawn = reached <= target ? id : drawn;
      reached += weight;
    }
  }
  token[group_id] = drawn;
  check[group_id] = best > -GPU_INFINITY && best < GPU_INFINITY ? all : GPU_INFINITY;
}
