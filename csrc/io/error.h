// The one error type of the core. Its kind picks the Python exception class, its message is the
// whole sentence a user reads: "[speaker] what is wrong, with values; what would work."
#pragma once

#include <stdexcept>
#include <string>

namespace convergio {

enum class ErrorKind {
  InvalidRequest,
  ModelNotFound,
  ModelCorrupt,
  UnsupportedModel,
  ContextLength,
  Constraint,
  OutOfMemory,
  Cancelled,
  Timeout,
  LoadFailed,
  InferenceFailed,
  Unavailable,
  Internal,
};

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const noexcept { return kind_; }

 private:
  ErrorKind kind_;
};

}  // namespace convergio
