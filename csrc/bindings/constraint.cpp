#include "bindings/constraint.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "io/error.h"

namespace nb = nanobind;

namespace convergio::bindings {

namespace {

using engine::Constraint;
using engine::TokenMask;

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorKind::Constraint, "[constraint] " + what);
}

std::string class_name(const nb::handle& object) {
  return nb::cast<std::string>(nb::str(object.type().attr("__name__")));
}

TokenMask copy_words(const nb::handle& buffer) {
  Py_buffer view{};
  if (PyObject_GetBuffer(buffer.ptr(), &view, PyBUF_ANY_CONTIGUOUS) != 0) {
    nb::raise_python_error();
  }
  const auto bytes = static_cast<std::size_t>(view.len);
  TokenMask mask(bytes / sizeof(std::uint32_t));
  if (!mask.empty()) {
    std::memcpy(mask.data(), view.buf, mask.size() * sizeof(std::uint32_t));
  }
  PyBuffer_Release(&view);
  if (bytes % sizeof(std::uint32_t) != 0) {
    refuse("gave a mask of " + std::to_string(bytes) +
           " bytes, which is not whole words of 4; pad its last word with zeros.");
  }
  return mask;
}

class PythonConstraint : public Constraint {
 public:
  explicit PythonConstraint(nb::object callable) : callable_(std::move(callable)) {}

  ~PythonConstraint() override {
    const nb::gil_scoped_acquire gil;
    callable_.reset();
  }

  Next next(std::span<const int> accepted) override {
    const nb::gil_scoped_acquire gil;
    try {
      return read(callable_(std::vector<int>(accepted.begin(), accepted.end())));
    } catch (const nb::python_error& error) {
      refuse("raised " + nb::cast<std::string>(nb::str(error.type().attr("__name__"))) + ": " +
             nb::cast<std::string>(nb::str(error.value())) +
             "; the request ends here, the next one works.");
    }
  }

 private:
  static Next read(const nb::object& given) {
    if (given.is_none()) {
      return Stop{};
    }
    if (PyObject_CheckBuffer(given.ptr()) != 0) {
      return copy_words(given);
    }
    std::vector<int> tokens;
    if (!nb::try_cast(given, tokens)) {
      refuse("returned a " + class_name(given) +
             "; return a mask (bytes or another buffer), a list of tokens that must follow, or "
             "None to end the answer.");
    }
    return Forced{std::move(tokens)};
  }

  nb::object callable_;
};

}  // namespace

std::shared_ptr<Constraint> wrap_constraint(nb::object callable) {
  if (callable.is_none()) {
    return nullptr;
  }
  return std::make_shared<PythonConstraint>(std::move(callable));
}

}  // namespace convergio::bindings
