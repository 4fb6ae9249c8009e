// What the kernels' texts share. A text is the body of a function that every thread of a GPU runs,
// in groups of 512: 16 simdgroups (Metal) or warps (CUDA) of 32 lanes each. It is compiled as
// Metal, as CUDA and, by the tests, as C++, so it uses what the three have in common: no pointers
// of its own (Metal's have address spaces), no functions and no return.
#define GPU_LANES 32u
#define GPU_SIMDS 16u
#define GPU_THREADS 512u

// exp((x - best) / temperature), 1 where x is the best, whatever the temperature.
#define GPU_WEIGHT(x, best, temperature) \
  ((x) == (best) ? 1.0f : GPU_EXP(((x) - (best)) / (temperature)))

// x becomes what `reduce` makes of all threads' x. `slots` holds 2 x GPU_SIMDS of them, `turn` is
// which half: the other may still be read.
#define GPU_REDUCE(x, reduce_simd, add, slots)            \
  x = reduce_simd(x);                                     \
  if (lane_id == 0) {                                     \
    slots[turn * GPU_SIMDS + simd_id] = x;                \
  }                                                       \
  GPU_BARRIER();                                          \
  x = slots[turn * GPU_SIMDS];                            \
  GPU_ROLLED for (uint one = 1; one < GPU_SIMDS; ++one) { \
    x = add(x, slots[turn * GPU_SIMDS + one]);            \
  }                                                       \
  turn = 1u - turn
#define GPU_ADD(x, y) ((x) + (y))
#define GPU_HIGHER(x, y) ((x) > (y) ? (x) : (y))

// before becomes the sum of x of the threads before this one, and all that of all threads.
#define GPU_SCAN(x, before, all, slots)                          \
  before = GPU_SUM_BEFORE(x);                                    \
  if (lane_id == GPU_LANES - 1) {                                \
    slots[turn * GPU_SIMDS + simd_id] = before + x;              \
  }                                                              \
  GPU_BARRIER();                                                 \
  all = 0;                                                       \
  GPU_ROLLED for (uint one = 0; one < GPU_SIMDS; ++one) {        \
    before += one < simd_id ? slots[turn * GPU_SIMDS + one] : 0; \
    all += slots[turn * GPU_SIMDS + one];                        \
  }                                                              \
  turn = 1u - turn

// A number that is greater where x is greater; above 0 for every x.
#define GPU_KEY(x)                                                   \
  ((GPU_BITS((x) + 0.0f) & 0x80000000u) != 0 ? ~GPU_BITS((x) + 0.0f) \
                                             : (GPU_BITS((x) + 0.0f) | 0x80000000u))

// Of all threads' keys, `items` each, at indexes first + 0, 1, ... below 16384: the `count`
// highest, of equals those of the lower indexes, are those above `least` and those equal to it up
// to index `last`. Keys of 0 are none. Bit by bit, so that no thread has to know another's keys.
#define GPU_SELECT(keys, items, first, count, least, last)               \
  least = 0;                                                             \
  uint reached = 0;                                                      \
  GPU_ROLLED for (uint bit = 0x80000000u; bit != 0; bit >>= 1) {         \
    uint found = 0;                                                      \
    for (uint i = 0; i < items; ++i) {                                   \
      found += keys[i] >= (least | bit) ? 1u : 0u;                       \
    }                                                                    \
    GPU_REDUCE(found, GPU_SUM, GPU_ADD, counts);                         \
    if (found >= count) {                                                \
      least |= bit;                                                      \
      reached = found;                                                   \
    }                                                                    \
  }                                                                      \
  last = 0xffffffffu;                                                    \
  if (reached > count) {                                                 \
    uint higher = 0;                                                     \
    for (uint i = 0; i < items; ++i) {                                   \
      higher += keys[i] > least ? 1u : 0u;                               \
    }                                                                    \
    GPU_REDUCE(higher, GPU_SUM, GPU_ADD, counts);                        \
    last = 0;                                                            \
    GPU_ROLLED for (uint bit = 1u << 13; bit != 0; bit >>= 1) {          \
      uint found = 0;                                                    \
      for (uint i = 0; i < items; ++i) {                                 \
        found += keys[i] == least && first + i < (last | bit) ? 1u : 0u; \
      }                                                                  \
      GPU_REDUCE(found, GPU_SUM, GPU_ADD, counts);                       \
      last = found < count - higher ? last | bit : last;                 \
    }                                                                    \
  }
#define GPU_SELECTED(key, index, least, last) \
  ((key) != 0 && ((key) > (least) || ((key) == (least) && (index) <= (last))))
