// Makes allocations fail: preloaded (LD_PRELOAD) into a program whose native code is under test.
//
// Counted are the allocations of our extension, of libmlx, and of libstdc++ on behalf of anyone
// (operator new): by the address that malloc returns to. Python's own, and those of other
// libraries, never fail. Of those counted from arm() on, number `first` and the `more` after it
// fail.
#include <dlfcn.h>
#include <execinfo.h>
#include <link.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

extern "C" {
void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t count, std::size_t bytes);
void* __libc_realloc(void* block, std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);
}

namespace {

struct Range {
  std::uintptr_t begin;
  std::uintptr_t end;
};

constexpr int kFrames = 24;

std::array<Range, 32> ranges;
std::atomic<std::size_t> range_count{0};
std::atomic<bool> armed{false};
std::atomic<long> counted{0};
std::atomic<long> failed{0};
const bool traced = std::getenv("FAULTS_TRACE") != nullptr;
long first_to_fail = 0;
long last_to_fail = 0;
void* frames[kFrames];
int frame_count = 0;

int note(dl_phdr_info* info, std::size_t, void*) {
  const char* name = info->dlpi_name;
  if (std::strstr(name, "/_native") == nullptr && std::strstr(name, "libmlx") == nullptr &&
      std::strstr(name, "libstdc++") == nullptr) {
    return 0;
  }
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& part = info->dlpi_phdr[i];
    if (part.p_type == PT_LOAD && (part.p_flags & PF_X) != 0 && range_count < ranges.size()) {
      const std::uintptr_t begin = info->dlpi_addr + part.p_vaddr;
      ranges[range_count++] = {begin, begin + part.p_memsz};
    }
  }
  return 0;
}

bool ours(const void* caller) {
  const auto address = reinterpret_cast<std::uintptr_t>(caller);
  for (std::size_t i = 0; i < range_count; ++i) {
    if (address >= ranges[i].begin && address < ranges[i].end) return true;
  }
  return false;
}

bool fails(const void* caller) {
  if (!armed.load(std::memory_order_relaxed) || !ours(caller)) return false;
  const long number = counted.fetch_add(1) + 1;
  if (number < first_to_fail || number > last_to_fail) return false;
  if (failed.fetch_add(1) == 0) {
    frame_count = backtrace(frames, kFrames);
    if (traced) backtrace_symbols_fd(frames, frame_count, 2);
  }
  errno = ENOMEM;
  return true;
}

}  // namespace

#define FAILS fails(__builtin_return_address(0))

extern "C" {

void* malloc(std::size_t bytes) { return FAILS ? nullptr : __libc_malloc(bytes); }
void* calloc(std::size_t count, std::size_t bytes) {
  return FAILS ? nullptr : __libc_calloc(count, bytes);
}
void* realloc(void* block, std::size_t bytes) {
  return FAILS ? nullptr : __libc_realloc(block, bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  return FAILS ? nullptr : __libc_memalign(alignment, bytes);
}
void* memalign(std::size_t alignment, std::size_t bytes) {
  return FAILS ? nullptr : __libc_memalign(alignment, bytes);
}
int posix_memalign(void** block, std::size_t alignment, std::size_t bytes) {
  if (FAILS) return ENOMEM;
  *block = __libc_memalign(alignment, bytes);
  return *block == nullptr ? ENOMEM : 0;
}

/// Counts from now on; allocations number first … first + more fail (first 0: none).
void faults_arm(long first, long more) {
  armed = false;
  range_count = 0;
  dl_iterate_phdr(note, nullptr);
  backtrace(frames, kFrames);  // loads the unwinder
  first_to_fail = first;
  last_to_fail = first == 0 ? -1 : first + more;
  counted = 0;
  failed = 0;
  frame_count = 0;
  armed = true;
}

/// Counts no more; how many failed.
long faults_disarm() {
  armed = false;
  return failed;
}

long faults_counted() { return counted; }

/// Where the first that failed was asked for, to a file descriptor.
void faults_where(int file) { backtrace_symbols_fd(frames, frame_count, file); }
}
