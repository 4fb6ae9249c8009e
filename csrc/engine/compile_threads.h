#pragma once

#include <functional>

namespace convergio::engine {

/// Runs `job` on one of four threads that compile grammars, each with a stack of kCompileStack
/// bytes; again, after those that came meanwhile, for as long as it returns true. It must not
/// throw. Jobs begin in the order they come. They are abandoned where the process ends.
///
/// Throws Error (InvalidRequest) in a process that was forked off after the threads started, Error
/// (OutOfMemory) where no thread can be started.
void run_on_compile_thread(std::function<bool()> job);

}  // namespace convergio::engine
