#pragma once

#include <optional>
#include <string>

#include "engine/device_sampler.h"
#include "engine/sampling.h"
#include "mlx/array.h"

// Tokens drawn by two kernels of our own (csrc/kernels/gpu) in place of some 50 of MLX's ops.
namespace convergio::engine {

/// Whether the kernels draw by such options from so many tokens: not more than kCandidates of them
/// by top-k, and no more than 524 288 in all. top-p may leave any number.
bool kernels_draw(const SamplingParams& params, int vocab);

/// Of logits (rows, vocab) that need no edit, or their negatives, a token for each row, by the
/// row's number of `uniforms`, (rows,), from 0 to 1: token and check are (rows,).
DeviceSample draw_by_kernels(const mx::array& logits, bool negated, const SamplingParams& params,
                             const mx::array& uniforms);

/// Whether the kernels are used here; if not, why: a clause, or what a compiler said.
struct KernelTrial {
  bool passed = false;
  std::string fault;
};

/// Has the kernels, MLX's ops and the CPU's loop draw from the same inputs; what they throw is a
/// fault, but for Error (OutOfMemory), which is thrown.
KernelTrial try_sampling_kernels();

/// The result of the process's one trial, which is made now where there was none. On the worker.
const KernelTrial& sampling_kernels();

/// For tests: the result is this one, as if there had been a trial; or there was none.
void force_trial(std::optional<KernelTrial> trial);

}  // namespace convergio::engine
