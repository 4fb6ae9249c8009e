#pragma once

#include <Python.h>

namespace convergio::bindings {

/// Lets other Python threads run for as long as it lives.
///
/// Once the program ends, a thread that would come back to Python through it is held for good
/// instead: Python (before 3.14) ends such daemon threads by unwinding them, which through frames
/// of C++ aborts the process.
class WithoutGil {
 public:
  WithoutGil() : state_(PyEval_SaveThread()) {}
  ~WithoutGil();
  WithoutGil(const WithoutGil&) = delete;
  WithoutGil& operator=(const WithoutGil&) = delete;

 private:
  PyThreadState* state_;
};

/// Runs `last` without the GIL, and lets no other thread come back through WithoutGil from now on.
/// The calling thread may; it is the one that ends the interpreter.
void end_program(void (*last)());

}  // namespace convergio::bindings
