// Everything that is wrong with one thing, said in one error.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "io/error.h"

namespace convergio::io {

class Faults {
 public:
  static constexpr std::size_t max_listed = 20;

  // sentence: a clause without a full stop, "model.safetensors: tensor 'a' has no dtype".
  void add(std::string sentence, ErrorKind kind = ErrorKind::ModelCorrupt);

  bool empty() const { return count_ == 0; }
  std::size_t size() const { return count_; }
  // UnsupportedModel when that is all that is wrong, else the kind of the first other fault.
  ErrorKind kind() const { return kind_; }

  // Throws "[speaker] fault; remedy." or, of several, "[speaker] subject has 23 faults: a; b; …;
  // and 3 more; remedy."
  [[noreturn]] void raise(std::string_view speaker, std::string_view subject,
                          std::string_view remedy) const;

 private:
  std::vector<std::string> listed_;
  std::size_t count_ = 0;
  ErrorKind kind_ = ErrorKind::UnsupportedModel;
};

}  // namespace convergio::io
