#include "kernels/cpu/isa.h"

#include <atomic>
#include <cstdlib>
#include <stdexcept>

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace convergio::kernels {

namespace {

constexpr Isa kIsas[] = {Isa::Off, Isa::Scalar, Isa::Avx2, Isa::Avx512, Isa::Neon};

#if defined(__x86_64__)

struct Cpuid {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
};

Cpuid cpuid(unsigned leaf, unsigned subleaf) {
  Cpuid r;
  __get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx);
  return r;
}

/// The register files the operating system saves (XCR0).
unsigned saved_registers() {
  unsigned low = 0;
  unsigned high = 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

bool all(unsigned bits, unsigned wanted) { return (bits & wanted) == wanted; }

/// Tiles take 8 KB of a thread's state, which Linux saves for those processes alone that ask for
/// it; it refuses where a thread's stack for signals has no room for them.
bool tiles_granted() {
#if defined(__linux__)
  constexpr long kRequest = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long kTileData = 18;     // its number among the state's parts
  return syscall(SYS_arch_prctl, kRequest, kTileData) == 0;
#else
  return false;
#endif
}

CpuFeatures detect() {
  constexpr unsigned kFma = 1U << 12, kOsxsave = 1U << 27, kF16c = 1U << 29;
  constexpr unsigned kAvx2 = 1U << 5;
  constexpr unsigned kAvx512 = 1U << 16 | 1U << 17 | 1U << 30 | 1U << 31;  // F, DQ, BW, VL
  constexpr unsigned kVnni = 1U << 11 | 1U << 1;                           // and VBMI
  constexpr unsigned kAmx = 1U << 24 | 1U << 25;                           // tiles, and of int8
  constexpr unsigned kYmm = 0x06, kZmm = 0xe6, kTiles = 1U << 17 | 1U << 18;
  CpuFeatures f;
  const Cpuid one = cpuid(1, 0);
  if (!all(one.ecx, kFma | kOsxsave | kF16c)) {
    return f;
  }
  const unsigned saved = saved_registers();
  const Cpuid seven = cpuid(7, 0);
  f.avx2 = all(saved, kYmm) && all(seven.ebx, kAvx2);
  f.avx512 = f.avx2 && all(saved, kZmm) && all(seven.ebx, kAvx512);
  f.avx512_vnni = f.avx512 && all(seven.ecx, kVnni);
  f.amx = f.avx512_vnni && all(saved, kTiles) && all(seven.edx, kAmx) && tiles_granted();
  return f;
}

#elif defined(__aarch64__)

CpuFeatures detect() {
  CpuFeatures f;
  f.neon = true;
#if defined(__APPLE__)
  f.dotprod = true;  // every Apple silicon Mac
#elif defined(__linux__)
  constexpr unsigned long kAsimdDp = 1UL << 20;
  f.dotprod = (getauxval(AT_HWCAP) & kAsimdDp) != 0;
#endif
  return f;
}

#else

CpuFeatures detect() { return {}; }

#endif

bool available(Isa isa) {
  switch (isa) {
    case Isa::Off:
    case Isa::Scalar:
      return true;
    case Isa::Avx2:
      return cpu_features().avx2;
    case Isa::Avx512:
      return cpu_features().avx512;
    case Isa::Neon:
      return cpu_features().neon;
  }
  return false;
}

Isa chosen() {
  const char* wanted = std::getenv("CONVERGIO_MLX_ISA");
  if (wanted == nullptr || *wanted == '\0') {
    return available_isas().back();
  }
  const auto isa = isa_from_name(wanted);
  if (isa && available(*isa)) {
    return *isa;
  }
  std::string names = "off";
  for (const Isa each : available_isas()) {
    names += ", " + std::string(isa_name(each));
  }
  throw std::invalid_argument("[isa] CONVERGIO_MLX_ISA is '" + std::string(wanted) +
                              "' but this machine runs: " + names + ".");
}

std::atomic<Isa>& current() {
  static std::atomic<Isa> isa{chosen()};
  return isa;
}

}  // namespace

std::string_view isa_name(Isa isa) {
  switch (isa) {
    case Isa::Off:
      return "off";
    case Isa::Scalar:
      return "scalar";
    case Isa::Avx2:
      return "avx2";
    case Isa::Avx512:
      return "avx512";
    case Isa::Neon:
      return "neon";
  }
  throw std::logic_error("[isa] an instruction set outside its enumeration.");
}

std::optional<Isa> isa_from_name(std::string_view name) {
  for (const Isa isa : kIsas) {
    if (isa_name(isa) == name) {
      return isa;
    }
  }
  return std::nullopt;
}

const CpuFeatures& cpu_features() {
  static const CpuFeatures features = detect();
  return features;
}

std::vector<Isa> available_isas() {
  std::vector<Isa> isas;
  for (const Isa isa : kIsas) {
    if (isa != Isa::Off && available(isa)) {
      isas.push_back(isa);
    }
  }
  return isas;
}

Isa active_isa() { return current().load(std::memory_order_relaxed); }

void force_isa(Isa isa) {
  if (!available(isa)) {
    throw std::invalid_argument("[isa] this machine has no " + std::string(isa_name(isa)) +
                                "; use one that available_isas() lists.");
  }
  current().store(isa, std::memory_order_relaxed);
}

}  // namespace convergio::kernels
