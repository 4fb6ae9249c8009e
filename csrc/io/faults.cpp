#include "io/faults.h"

#include <utility>

namespace convergio::io {

void Faults::add(std::string sentence, ErrorKind kind) {
  if (kind_ == ErrorKind::UnsupportedModel) kind_ = kind;
  if (count_++ < max_listed) listed_.push_back(std::move(sentence));
}

void Faults::raise(std::string_view speaker, std::string_view subject,
                   std::string_view remedy) const {
  std::string message = "[" + std::string(speaker) + "] ";
  if (count_ > 1) {
    message += std::string(subject) + " has " + std::to_string(count_) + " faults: ";
  }
  for (const std::string& sentence : listed_) message += sentence + "; ";
  if (count_ > listed_.size()) {
    message += "and " + std::to_string(count_ - listed_.size()) + " more; ";
  }
  throw Error(kind_, message + std::string(remedy) + ".");
}

}  // namespace convergio::io
