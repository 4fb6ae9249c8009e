#include "io/mapping_guard.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <string_view>
#include <utility>

namespace convergio::io {
namespace {

// Read by the signal handler, on any thread: lock-free atomics in static storage, and nothing else.
struct Slot {
  std::atomic<std::uintptr_t> begin{0};  // 0: free
  std::atomic<std::uintptr_t> end{0};
  std::atomic<bool> damaged{false};
};
static_assert(std::atomic<std::uintptr_t>::is_always_lock_free);

std::array<Slot, 4096> slots;
std::atomic<std::size_t> slots_used{0};  // from the first; never fewer
std::uintptr_t page_size = 0;            // written before the handler is installed
struct sigaction previous{};

std::mutex claiming;

void hand_on(int signal, siginfo_t* info, void* context) {
  if ((previous.sa_flags & SA_SIGINFO) != 0) {
    if (previous.sa_sigaction != nullptr) previous.sa_sigaction(signal, info, context);
  } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
    previous.sa_handler(signal);
  } else {
    ::sigaction(signal, &previous, nullptr);  // on return the read fails again, and that ends it
  }
}

// Calls nothing but mmap, which is a system call and no more.
void on_bus_error(int signal, siginfo_t* info, void* context) {
  const int saved = errno;
  const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
  const std::size_t used = slots_used.load(std::memory_order_acquire);
  for (std::size_t i = 0; i < used; ++i) {
    const std::uintptr_t begin = slots[i].begin.load(std::memory_order_acquire);
    const std::uintptr_t end = slots[i].end.load(std::memory_order_acquire);
    if (begin == 0 || address < begin || address >= end) continue;
    const std::uintptr_t page = address & ~(page_size - 1);
    slots[i].damaged.store(true, std::memory_order_release);
    void* const zeros = ::mmap(reinterpret_cast<void*>(page), end - page, PROT_READ,
                               MAP_PRIVATE | MAP_ANON | MAP_FIXED | MAP_NORESERVE, -1, 0);
    errno = saved;
    if (zeros != MAP_FAILED) return;  // the read is tried again
    break;
  }
  hand_on(signal, info, context);
}

bool wanted() {
  const char* value = std::getenv("CONVERGIO_MLX_MAPPING_GUARD");
  return value == nullptr || std::string_view(value) != "0";
}

// Once in a process; false where the signal is to be left alone.
bool install() {
  static const bool installed = [] {
    if (!wanted()) return false;
    page_size = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    struct sigaction action{};
    action.sa_sigaction = on_bus_error;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);  // unqualified: macOS has it as a macro
    // what was there is known before the first fault can ask for it
    return ::sigaction(SIGBUS, nullptr, &previous) == 0 &&
           ::sigaction(SIGBUS, &action, nullptr) == 0;
  }();
  return installed;
}

}  // namespace

MappingGuard::MappingGuard(const std::byte* data, std::size_t size) {
  if (size == 0 || !install()) return;
  const std::scoped_lock lock(claiming);
  for (std::size_t i = 0; i < slots.size(); ++i) {
    if (slots[i].begin.load(std::memory_order_relaxed) != 0) continue;
    const auto begin = reinterpret_cast<std::uintptr_t>(data);
    const std::uintptr_t pages = (size + page_size - 1) / page_size;
    slots[i].damaged.store(false, std::memory_order_relaxed);
    slots[i].end.store(begin + pages * page_size, std::memory_order_release);
    slots[i].begin.store(begin, std::memory_order_release);
    if (i >= slots_used.load(std::memory_order_relaxed)) {
      slots_used.store(i + 1, std::memory_order_release);
    }
    slot_ = i;
    return;
  }
}

MappingGuard::~MappingGuard() {
  if (slot_ == none) return;
  const std::scoped_lock lock(claiming);
  slots[slot_].begin.store(0, std::memory_order_release);
}

MappingGuard::MappingGuard(MappingGuard&& other) noexcept
    : slot_(std::exchange(other.slot_, none)) {}

MappingGuard& MappingGuard::operator=(MappingGuard&& other) noexcept {
  std::swap(slot_, other.slot_);
  return *this;
}

bool MappingGuard::damaged() const noexcept {
  return slot_ != none && slots[slot_].damaged.load(std::memory_order_acquire);
}

}  // namespace convergio::io
