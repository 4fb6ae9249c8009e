#include "engine/compile_threads.h"

#include <pthread.h>
#include <unistd.h>

#include <condition_variable>
#include <cstddef>
#include <cstring>
#include <list>
#include <mutex>
#include <string>
#include <utility>

#include "io/error.h"

namespace convergio::engine {

namespace {

constexpr int kThreads = 4;  ///< started as they are needed
/// Of each thread; only what is used takes memory. llguidance recurses along a chain of '$ref's and
/// along nested schemas: structured/schema_refs.py and lark.py bound how far.
constexpr std::size_t kCompileStack = std::size_t{64} << 20;

class CompileThreads {
 public:
  bool forked() const { return getpid() != process_; }

  void run(std::function<bool()> job) {
    Jobs one;
    one.push_back(std::move(job));
    {
      const std::scoped_lock lock(mutex_);
      if (idle_ == 0 && threads_ < kThreads) {
        start();
      }
      jobs_.splice(jobs_.end(), one);
    }
    changed_.notify_one();
  }

 private:
  using Jobs = std::list<std::function<bool()>>;  ///< to move one takes no memory

  void start() {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, kCompileStack);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_t thread{};
    const int failed = pthread_create(&thread, &attributes, &serve, this);
    pthread_attr_destroy(&attributes);
    if (failed == 0) {
      ++threads_;
    } else if (threads_ == 0) {
      throw Error(ErrorKind::OutOfMemory,
                  std::string("[structured] no thread with a stack of 64 MB could be started (") +
                      std::strerror(failed) + "); raise the limits on threads and memory.");
    }
  }

  static void* serve(void* self) {
    static_cast<CompileThreads*>(self)->loop();
    return nullptr;
  }

  [[noreturn]] void loop() {
    std::unique_lock lock(mutex_);
    while (true) {
      ++idle_;
      changed_.wait(lock, [this] { return !jobs_.empty(); });
      --idle_;
      Jobs one;
      one.splice(one.end(), jobs_, jobs_.begin());
      lock.unlock();
      if (!one.front()()) {
        one.clear();
      }
      lock.lock();
      jobs_.splice(jobs_.end(), one);
    }
  }

  const pid_t process_ = getpid();
  std::mutex mutex_;
  std::condition_variable changed_;
  Jobs jobs_;
  int threads_ = 0;
  int idle_ = 0;
};

}  // namespace

void run_on_compile_thread(std::function<bool()> job) {
  static auto& threads = *new CompileThreads;  // never destroyed: its threads outlive main()
  if (threads.forked()) {
    throw Error(ErrorKind::InvalidRequest,
                "[engine] this process was forked off after the engine had started, and the "
                "engine's threads stayed behind; start it with multiprocessing's 'spawn' method, "
                "or fork before the first model is loaded.");
  }
  threads.run(std::move(job));
}

}  // namespace convergio::engine
