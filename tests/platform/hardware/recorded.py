"""What the systems' own programs print, in their form: one machine of each kind."""


def sysctl(
    chip: str, system: str, gigabytes: int, cores: int | tuple[int, int], wired: int = 0
) -> str:
    """What `sysctl` prints on a Mac; those with one kind of core have no levels of them."""
    levels = () if isinstance(cores, int) else cores
    lines = [
        f"machdep.cpu.brand_string: {chip}",
        f"kern.osproductversion: {system}",
        f"hw.memsize: {gigabytes << 30}",
        f"hw.physicalcpu: {sum(levels) or cores}",
    ]
    if levels:
        lines.append(f"hw.nperflevels: {len(levels)}")
        lines += [f"hw.perflevel{level}.physicalcpu: {n}" for level, n in enumerate(levels)]
        lines.append(f"iogpu.wired_limit_mb: {wired}")
    return "\n".join([*lines, ""])


M1 = sysctl("Apple M1", "14.7.1", 8, (4, 4))
M2_ULTRA = sysctl("Apple M2 Ultra", "15.1", 192, (16, 8))
M3_PRO_RAISED = sysctl("Apple M3 Pro", "15.3.2", 36, (6, 6), wired=30000)
M4_MAX = sysctl("Apple M4 Max", "26.1", 64, (12, 4))
M5 = sysctl("Apple M5", "26.1", 24, (4, 6))
M2_VIRTUAL = sysctl("Apple M2 (Virtual)", "14.4", 4, 4)
INTEL_MAC = sysctl("Intel(R) Core(TM) i7-9750H CPU @ 2.60GHz", "13.6", 16, 6)

PROFILER_M4_MAX = """\
{
  "SPDisplaysDataType" : [
    {
      "_name" : "Apple M4 Max",
      "spdisplays_mtlgpufamilysupport" : "spdisplays_metal4",
      "spdisplays_ndrvs" : [
        {
          "_name" : "Color LCD",
          "_spdisplays_pixels" : "3456 x 2234",
          "spdisplays_main" : "spdisplays_yes"
        }
      ],
      "spdisplays_vendor" : "sppci_vendor_Apple",
      "sppci_bus" : "spdisplays_builtin",
      "sppci_cores" : "40",
      "sppci_device_type" : "spdisplays_gpu",
      "sppci_model" : "Apple M4 Max"
    }
  ]
}
"""
PROFILER_INTEL = """\
{
  "SPDisplaysDataType" : [
    {"_name" : "kHW_IntelUHDGraphics630Item", "sppci_model" : "Intel UHD Graphics 630"},
    {"_name" : "kHW_AMDRadeonPro5300MItem", "sppci_model" : "AMD Radeon Pro 5300M"}
  ]
}
"""

VM_STAT = """\
Mach Virtual Memory Statistics: (page size of 16384 bytes)
Pages free:                               21574.
Pages active:                            441852.
Pages inactive:                          438124.
Pages speculative:                         3070.
Pages throttled:                              0.
Pages wired down:                        120431.
Pages purgeable:                           8211.
"Translation faults":                 345213880.
Pages copy-on-write:                   12010456.
File-backed pages:                       260114.
"""

MEMINFO = """\
MemTotal:       32651464 kB
MemFree:         1843032 kB
MemAvailable:   21503420 kB
Buffers:          612340 kB
Cached:         18452136 kB
SwapCached:            0 kB
HugePages_Total:       0
Hugepagesize:       2048 kB
"""
CPUINFO_X86 = """\
processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 26
model\t\t: 68
model name\t: AMD Ryzen 9 9950X  16-Core Processor
flags\t\t: fpu vme sse2 avx avx2 avx512f avx512_vnni
"""
CPUINFO_PI = """\
processor\t: 0
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm asimddp
CPU implementer\t: 0x41
CPU part\t: 0xd0b

Revision\t: d04170
Model\t\t: Raspberry Pi 5 Model B Rev 1.0
"""
CPUINFO_ARM_SERVER = """\
processor\t: 0
BogoMIPS\t: 2100.00
Features\t: fp asimd atomics asimddp sve bf16 i8mm
CPU implementer\t: 0x41
CPU part\t: 0xd4f
"""

NVIDIA_TWO = """\
NVIDIA H100 80GB HBM3, 81559, 80994, 570.86.15, 9.0
NVIDIA GeForce RTX 4090, 24564, 20112, 570.86.15, 8.9
"""
NVIDIA_SHARED = "NVIDIA GB10, [N/A], [N/A], 580.95.05, 12.1\n"
NVIDIA_NONE = (
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that "
    "the latest NVIDIA driver is installed and running.\n\n"
)
