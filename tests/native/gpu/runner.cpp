#include "gpu/runner.h"

#include <atomic>
#include <cstdint>
#include <stdexcept>

#include "gpu/twin.h"
#include "mlx/allocator.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace twin {

namespace mx = mlx::core;

namespace {

template <typename T>
void bests_of(const std::vector<mx::array>& in, std::vector<mx::array>& out, std::uint64_t seed) {
  group_bests(in[0].data<T>(), in[1].data<float>(), in[2].data<std::uint32_t>(),
              out[0].data<float>(), out[1].data<float>(), out[2].data<float>(), seed);
}

}  // namespace

std::vector<mx::array> run(const convergio::kernels::GpuKernel& kernel,
                           const std::vector<mx::array>& inputs,
                           const convergio::kernels::GpuRun& run) {
  static std::atomic<std::uint64_t> seed = 0;
  ++seed;  // threads run in another order each time
  std::vector<mx::array> in;
  for (const mx::array& one : inputs) in.push_back(mx::contiguous(one));
  mx::eval(in);
  std::vector<mx::array> out;
  for (std::size_t i = 0; i < run.shapes.size(); ++i) {
    out.push_back(mx::full(run.shapes[i], 77, run.dtypes[i]));  // what a GPU's memory may hold
  }
  mx::eval(out);
  if (kernel.name == "group_bests") {
    in[0].dtype() == mx::float32   ? bests_of<float>(in, out, seed)
    : in[0].dtype() == mx::float16 ? bests_of<mx::float16_t>(in, out, seed)
                                   : bests_of<mx::bfloat16_t>(in, out, seed);
    return out;
  }
  const auto draw = kernel.name == "draw_from_all"         ? draw_from_all
                    : kernel.name == "draw_from_likeliest" ? draw_from_likeliest
                                                           : nullptr;
  if (draw == nullptr) throw std::invalid_argument("no twin of " + kernel.name);
  draw(in[0].data<float>(), in[1].data<float>(), in[2].data<float>(), in[3].data<float>(),
       in[4].data<float>(), in[5].data<std::uint32_t>(), out[0].data<std::uint32_t>(),
       out[1].data<float>(), seed);
  return out;
}

}  // namespace twin
