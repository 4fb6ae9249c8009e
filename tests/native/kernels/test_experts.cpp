// A mixture of experts: on every instruction set against MLX's ops, stacked as separate, and a
// row's bits whatever the rows beside it.
#include <optional>
#include <string>
#include <vector>

#include "common.h"
#include "kernels/cpu/precision.h"
#include "kernels/ops/experts.h"
#include "mlx/ops.h"

namespace convergio::kernels::testing {

namespace {

using Numbers = std::function<Matrix(int rows, int cols, std::uint64_t seed)>;

constexpr int kHidden = 384;
constexpr int kWidth = 128;

formats::Experts config(int experts, int chosen) {
  formats::Experts made;
  made.router.experts = experts;
  made.router.chosen = chosen;
  made.width = kWidth;
  return made;
}

ExpertStack stack(int experts, int rows, int cols, const Numbers& numbers, std::uint64_t seed,
                  bool bias) {
  ExpertStack all;
  for (int e = 0; e < experts; ++e) {
    const auto own = seed + static_cast<std::uint64_t>(10 * e);
    Linear one{numbers(rows, cols, own), std::nullopt};
    if (bias) {
      one.bias = random({rows}, own + 5);
    }
    all.parts.push_back(one);
  }
  return all;
}

ExpertWeights weights(int experts, const Numbers& numbers, bool bias = false, bool fused = false) {
  ExpertWeights made;
  if (fused) {
    made.gate_up = {stack(experts, 2 * kWidth, kHidden, numbers, 1, bias)};
  } else {
    made.gate_up = {stack(experts, kWidth, kHidden, numbers, 1, bias),
                    stack(experts, kWidth, kHidden, numbers, 2, bias)};
  }
  made.down = stack(experts, kHidden, kWidth, numbers, 3, bias);
  return made;
}

/// All experts in one array, as mlx-lm converts them.
ExpertStack stacked(const ExpertStack& separate) {
  Linear whole = separate.parts.front();
  const auto together = [&](auto part) {
    std::vector<mx::array> all;
    for (const Linear& one : separate.parts) {
      all.push_back(part(one));
    }
    return misaligned(mx::stack(all, 0));
  };
  whole.weight.data = together([](const Linear& l) { return l.weight.data; });
  if (whole.weight.scales) {
    whole.weight.scales = together([](const Linear& l) { return *l.weight.scales; });
  }
  if (whole.weight.biases) {
    whole.weight.biases = together([](const Linear& l) { return *l.weight.biases; });
  }
  if (whole.bias) {
    whole.bias = together([](const Linear& l) { return *l.bias; });
  }
  return {.parts = {whole}, .stacked = true};
}

ExpertWeights stacked(ExpertWeights all) {
  for (ExpertStack& part : all.gate_up) {
    part = stacked(part);
  }
  all.down = stacked(all.down);
  return all;
}

Matrix four_bits(int rows, int cols, std::uint64_t seed) {
  return quantized(rows, cols, Format::Affine, 64, 4, mx::bfloat16, seed);
}

mx::array rows_of(int n, std::uint64_t seed = 5) {
  return mx::multiply(random({n, kHidden}, seed), mx::array(0.03F));
}

/// `all` by our kernels on every instruction set, by MLX's ops, both ways of storing them.
void against_mlx(const ExpertWeights& all, const formats::Experts& config, int n,
                 const std::string& what) {
  const mx::array x = rows_of(n);
  const mx::array logits = random({n, config.router.experts}, 6);
  const mx::array onto = random({n, kHidden}, 7);
  const auto result = [&](const ExpertWeights& stored) {
    return Experts(stored, config, Activation::Silu)
        .onto(mx::add(onto, mx::array(1.0F)), x, logits);
  };
  const mx::array wanted = by_mlx([&] { return result(all); });
  for (const Isa isa : available_isas()) {
    const With set(isa);
    for (const bool all_float : {true, false}) {
      force_exact(all_float);
      const std::string where = std::string(isa_name(isa)) + (all_float ? ", exact: " : ": ") +
                                what + " of " + std::to_string(n) + " rows";
      const mx::array separate = result(all);
      check_close(separate, wanted, all_float ? 1e-5F : 2e-4F, where);
      check_close(result(stacked(all)), separate, 0.0F, where + ", stacked");
    }
  }
}

}  // namespace

TEST(experts_of_every_format_equal_mlx) {
  for (const Kind& kind : kinds()) {
    const auto numbers = [&](int rows, int cols, std::uint64_t seed) {
      return quantized(rows, cols, kind.format, kind.group, kind.bits, mx::bfloat16, seed);
    };
    against_mlx(weights(3, numbers), config(3, 2), 14,
                mode_name(kind.format) + " " + std::to_string(kind.bits));
  }
  for (const mx::Dtype dtype : {mx::float32, mx::float16, mx::bfloat16}) {
    const auto numbers = [&](int rows, int cols, std::uint64_t seed) {
      return dense(rows, cols, dtype, seed);
    };
    against_mlx(weights(3, numbers), config(3, 2), 14, "dense");
  }
}

TEST(experts_of_any_number_of_rows_equal_mlx) {
  const ExpertWeights all = weights(16, four_bits, /*bias=*/true);
  for (const int n : {1, 2, 7, 40, 600}) {
    against_mlx(all, config(16, 4), n, "experts");
  }
  against_mlx(weights(5, four_bits, false, /*fused=*/true), config(5, 5), 9, "fused experts");
}

TEST(experts_whose_gate_and_up_take_turns_equal_mlx) {
  ExpertWeights all = weights(6, four_bits, true, /*fused=*/true);
  all.interleaved = true;
  for (const int n : {1, 9, 90}) {
    against_mlx(all, config(6, 2), n, "interleaved experts");
  }
}

TEST(experts_that_are_given_weighed_rows_equal_mlx) {
  formats::Experts weighed = config(8, 2);
  weighed.router.score = formats::Score::SigmoidOfChosen;
  weighed.weighs_input = true;
  for (const int n : {1, 9, 90}) {
    against_mlx(weights(8, four_bits, true), weighed, n, "weighed experts");
  }
}

TEST(experts_without_a_gate_equal_mlx) {
  formats::Experts ungated = config(8, 3);
  ungated.gated = false;
  for (const Numbers& numbers : {Numbers(four_bits), Numbers([](int rows, int cols, auto seed) {
                                   return dense(rows, cols, mx::bfloat16, seed);
                                 })}) {
    for (const bool bias : {false, true}) {
      ExpertWeights all = weights(8, numbers, bias);
      all.gate_up.erase(all.gate_up.begin());
      for (const int n : {1, 9, 90}) {
        against_mlx(all, ungated, n, "ungated experts");
      }
    }
  }
}

TEST(clamped_experts_equal_mlx) {
  formats::Experts clamped = config(4, 2);
  clamped.swiglu_alpha = 1.702F;
  clamped.swiglu_limit = 0.2F;
  for (const int n : {1, 30}) {
    against_mlx(weights(4, four_bits, true), clamped, n, "clamped experts");
  }
}

TEST(routers_equal_mlx) {
  for (const formats::Score score :
       {formats::Score::Softmax, formats::Score::SoftmaxOfChosen, formats::Score::Sigmoid,
        formats::Score::SigmoidOfChosen, formats::Score::SparseMixer}) {
    for (const bool normalized : {false, true}) {
      formats::Experts routed = config(8, 3);
      routed.router.score = score;
      routed.router.normalized = normalized;
      routed.router.jitter = 0.3F;
      routed.router.scale = 1.5F;
      ExpertWeights all = weights(8, four_bits);
      against_mlx(all, routed, 33, "routed experts");
      if (score == formats::Score::Sigmoid) {
        routed.router.groups = 4;
        routed.router.chosen_groups = 2;
        all.correction = mx::multiply(random({8}, 9), mx::array(0.3F));
        against_mlx(all, routed, 33, "grouped experts");
      }
    }
  }
}

TEST(scaled_experts_equal_mlx) {
  ExpertWeights scaled = weights(8, four_bits);
  scaled.scales = mx::add(random({8}, 9), mx::array(1.5F));
  for (const int n : {1, 33}) {
    against_mlx(scaled, config(8, 3), n, "scaled experts");
  }
}

TEST(experts_of_a_row_have_the_same_bits_whatever_the_rows_beside_it) {
  const std::vector<Numbers> kinds_of_numbers{
      four_bits,
      [](int rows, int cols, std::uint64_t seed) {
        return quantized(rows, cols, Format::Mxfp4, 32, 4, mx::float32, seed);
      },
      [](int rows, int cols, std::uint64_t seed) { return dense(rows, cols, mx::bfloat16, seed); },
  };
  constexpr int kRows = 90;
  for (const Numbers& numbers : kinds_of_numbers) {
    for (const Isa isa : available_isas()) {
      const With set(isa);
      const Experts experts(weights(4, numbers), config(4, 2), Activation::Silu);
      const mx::array x = rows_of(kRows);
      const mx::array logits = random({kRows, 4}, 6);
      const mx::array whole = experts(x, logits);
      for (const int size : {1, 2, 9, 40}) {
        std::vector<mx::array> parts;
        for (int begin = 0; begin < kRows; begin += size) {
          const int end = std::min(kRows, begin + size);
          parts.push_back(experts(mx::slice(x, {begin, 0}, {end, kHidden}),
                                  mx::slice(logits, {begin, 0}, {end, 4})));
        }
        check_close(mx::concatenate(parts, 0), whole, 0.0F,
                    std::string(isa_name(isa)) + ", in passes of " + std::to_string(size));
      }
    }
  }
}

}  // namespace convergio::kernels::testing
