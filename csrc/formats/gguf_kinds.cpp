#include "formats/gguf_kinds.h"

#include <algorithm>
#include <array>

namespace convergio::formats {

namespace {

constexpr auto kCopied = Conversion::Copied;
constexpr auto kExact = Conversion::Exact;
constexpr auto kRequantized = Conversion::Requantized;
constexpr auto kDense = Format::Dense;
constexpr auto kAffine = Format::Affine;

// The bits of what is requantized make the new error small beside the one that the kind has made.
constexpr std::array kKinds{
    GgufKind{0, "F32", 1, 4, kCopied},
    GgufKind{1, "F16", 1, 2, kCopied},
    GgufKind{30, "BF16", 1, 2, kCopied},
    GgufKind{2, "Q4_0", 32, 18, kExact, kAffine, 4, 32},
    GgufKind{3, "Q4_1", 32, 20, kExact, kAffine, 4, 32},
    GgufKind{6, "Q5_0", 32, 22, kExact, kAffine, 5, 32},
    GgufKind{7, "Q5_1", 32, 24, kExact, kAffine, 5, 32},
    GgufKind{8, "Q8_0", 32, 34, kExact, kAffine, 8, 32},
    GgufKind{12, "Q4_K", 256, 144, kExact, kAffine, 4, 32},
    GgufKind{13, "Q5_K", 256, 176, kExact, kAffine, 5, 32},
    GgufKind{20, "IQ4_NL", 32, 18, kExact, kAffine, 8, 32},
    GgufKind{23, "IQ4_XS", 256, 136, kExact, kAffine, 8, 32},
    GgufKind{34, "TQ1_0", 256, 54, kExact, kAffine, 2, 128},
    GgufKind{35, "TQ2_0", 256, 66, kExact, kAffine, 2, 128},
    GgufKind{39, "MXFP4", 32, 17, kExact, Format::Mxfp4, 4, 32},
    GgufKind{40, "NVFP4", 64, 36, kExact, Format::Nvfp4, 4, 16},
    GgufKind{10, "Q2_K", 256, 84, kRequantized, kAffine, 6, 32},
    GgufKind{11, "Q3_K", 256, 110, kRequantized, kAffine, 6, 32},
    GgufKind{14, "Q6_K", 256, 210, kRequantized, kAffine, 8, 32},
    GgufKind{16, "IQ2_XXS", 256, 66, kRequantized, kAffine, 6, 32, false},
    GgufKind{17, "IQ2_XS", 256, 74, kRequantized, kAffine, 6, 32, false},
    GgufKind{22, "IQ2_S", 256, 82, kRequantized, kAffine, 6, 32, false},
    GgufKind{18, "IQ3_XXS", 256, 98, kRequantized, kAffine, 6, 32, false},
    GgufKind{21, "IQ3_S", 256, 110, kRequantized, kAffine, 6, 32, false},
    GgufKind{19, "IQ1_S", 256, 50, kRequantized, kAffine, 6, 32, false},
    GgufKind{29, "IQ1_M", 256, 56, kRequantized, kAffine, 6, 32, false},
    GgufKind{9, "Q8_1", 32, 36},
    GgufKind{15, "Q8_K", 256, 292},
    GgufKind{41, "Q1_0", 128, 18},
    GgufKind{24, "I8", 1, 1, Conversion::None, kDense},
    GgufKind{25, "I16", 1, 2, Conversion::None, kDense},
    GgufKind{26, "I32", 1, 4, Conversion::None, kDense},
    GgufKind{27, "I64", 1, 8, Conversion::None, kDense},
    GgufKind{28, "F64", 1, 8, Conversion::None, kDense},
};

}  // namespace

std::span<const GgufKind> gguf_kinds() { return kKinds; }

const GgufKind* gguf_kind(std::uint32_t id) {
  const auto* found = std::ranges::find(kKinds, id, &GgufKind::id);
  return found == kKinds.end() ? nullptr : found;
}

}  // namespace convergio::formats
