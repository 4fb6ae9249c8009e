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

/// Holds the GIL on a thread of our own for as long as it lives, which must be short: the end of
/// the program waits for it. Throws Error (Cancelled) once the program ends.
class WithGil {
 public:
  WithGil();
  ~WithGil();
  WithGil(const WithGil&) = delete;
  WithGil& operator=(const WithGil&) = delete;

 private:
  PyGILState_STATE state_;
};

/// Lets go of an object on a thread that does not hold the GIL, and does not wait for it: the main
/// thread does that some time later, or nobody where the program ends.
void drop_later(PyObject* object) noexcept;

/// Runs `last` without the GIL, and lets no other thread come back through WithoutGil from now on.
/// The calling thread may; it is the one that ends the interpreter.
void end_program(void (*last)());

}  // namespace convergio::bindings
