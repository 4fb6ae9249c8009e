#include "bindings/gil.h"

#include <pthread.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "io/error.h"

namespace convergio::bindings {

namespace {

std::atomic<bool> ending = false;
std::atomic<std::thread::id> last_thread;
std::atomic<int> returning = 0;  ///< threads on their way back to Python

/// Where the program ends, never returns but on the thread that ends it.
void hold_others() {
  if (!ending || last_thread.load() == std::this_thread::get_id()) {
    return;
  }
  --returning;
  while (true) {
    std::this_thread::sleep_for(std::chrono::hours(1));
  }
}

/// A fork takes no other thread along, on its way or not.
void forget_others() { returning = 0; }
[[maybe_unused]] const int registered = pthread_atfork(nullptr, nullptr, forget_others);

}  // namespace

WithoutGil::~WithoutGil() {
  ++returning;
  hold_others();
  PyEval_RestoreThread(state_);
  --returning;
}

WithGil::WithGil() {
  ++returning;
  if (ending && last_thread.load() != std::this_thread::get_id()) {
    --returning;
    throw Error(ErrorKind::Cancelled, "[engine] the program ends.");
  }
  state_ = PyGILState_Ensure();
}

WithGil::~WithGil() {
  PyGILState_Release(state_);
  --returning;
}

void drop_later(PyObject* object) noexcept {
  const auto drop = [](void* dropped) {
    Py_DECREF(static_cast<PyObject*>(dropped));
    return 0;
  };
  if (!ending) {
    static_cast<void>(Py_AddPendingCall(drop, object));  // too many at once: the object stays
  }
}

void end_program(void (*last)()) {
  last_thread = std::this_thread::get_id();
  ending = true;
  PyThreadState* state = PyEval_SaveThread();
  last();
  while (returning > 0) {
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
  PyEval_RestoreThread(state);
}

}  // namespace convergio::bindings
