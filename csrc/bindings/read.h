#pragma once

#include <nanobind/nanobind.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

// What nanobind's own casters of texts and sequences do, where memory may run out: theirs are
// noexcept, so that an allocation that fails within them ends the process. No bound function takes
// a std::string or a container.
namespace convergio::bindings {

namespace nb = nanobind;

/// A text as UTF-8.
inline std::string read_text(const nb::str& given) {
  Py_ssize_t size = 0;
  const char* text = PyUnicode_AsUTF8AndSize(given.ptr(), &size);
  if (text == nullptr) {
    nb::raise_python_error();
  }
  return {text, static_cast<std::size_t>(size)};
}

inline std::set<std::string> read_texts(const nb::set& given) {
  std::set<std::string> texts;
  for (const nb::handle item : given) {
    texts.insert(read_text(nb::cast<nb::str>(item)));
  }
  return texts;
}

inline std::string read_bytes(const nb::bytes& given) { return {given.c_str(), given.size()}; }

/// The items of a sequence, each by `read`.
template <class T, class Read>
std::vector<T> read_all(const nb::sequence& given, Read read) {
  std::vector<T> items;
  items.reserve(nb::len(given));
  for (const nb::handle item : given) {
    items.push_back(read(item));
  }
  return items;
}

using Ints = nb::typed<nb::sequence, int>;

template <class T = int>
std::vector<T> read_ints(const nb::sequence& given) {
  return read_all<T>(given, [](nb::handle item) { return nb::cast<T>(item); });
}

}  // namespace convergio::bindings
