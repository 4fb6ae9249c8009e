"""What the systems' own programs print, in their form: one machine of each kind."""

M1 = """\
machdep.cpu.brand_string: Apple M1
kern.osproductversion: 14.7.1
hw.memsize: 8589934592
hw.physicalcpu: 8
hw.nperflevels: 2
hw.perflevel0.physicalcpu: 4
hw.perflevel1.physicalcpu: 4
iogpu.wired_limit_mb: 0
"""
M2_ULTRA = """\
machdep.cpu.brand_string: Apple M2 Ultra
kern.osproductversion: 15.1
hw.memsize: 206158430208
hw.physicalcpu: 24
hw.nperflevels: 2
hw.perflevel0.physicalcpu: 16
hw.perflevel1.physicalcpu: 8
iogpu.wired_limit_mb: 0
"""
M3_PRO_RAISED = """\
machdep.cpu.brand_string: Apple M3 Pro
kern.osproductversion: 15.3.2
hw.memsize: 38654705664
hw.physicalcpu: 12
hw.nperflevels: 2
hw.perflevel0.physicalcpu: 6
hw.perflevel1.physicalcpu: 6
iogpu.wired_limit_mb: 30000
"""
M4_MAX = """\
machdep.cpu.brand_string: Apple M4 Max
kern.osproductversion: 26.1
hw.memsize: 68719476736
hw.physicalcpu: 16
hw.nperflevels: 2
hw.perflevel0.physicalcpu: 12
hw.perflevel1.physicalcpu: 4
iogpu.wired_limit_mb: 0
"""
M5 = """\
machdep.cpu.brand_string: Apple M5
kern.osproductversion: 26.1
hw.memsize: 25769803776
hw.physicalcpu: 10
hw.nperflevels: 2
hw.perflevel0.physicalcpu: 4
hw.perflevel1.physicalcpu: 6
iogpu.wired_limit_mb: 0
"""
M2_VIRTUAL = """\
machdep.cpu.brand_string: Apple M2 (Virtual)
kern.osproductversion: 14.4
hw.memsize: 4294967296
hw.physicalcpu: 4
"""
INTEL_MAC = """\
machdep.cpu.brand_string: Intel(R) Core(TM) i7-9750H CPU @ 2.60GHz
kern.osproductversion: 13.6
hw.memsize: 17179869184
hw.physicalcpu: 6
"""

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
