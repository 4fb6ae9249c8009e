#pragma once

#include <nanobind/nanobind.h>

#include <utility>

namespace convergio::bindings {

namespace nb = nanobind;

/// A Python object that holds a T, a bound class.
template <class T>
using Made = nb::typed<nb::object, T>;

/// Every object of a bound class is made here: nanobind notes each in a table, and where it makes
/// one itself, for a T that is returned or for __init__, the table grows within a noexcept
/// function, so that an allocation that fails ends the process. Here it throws.
template <class T, class... Fields>
Made<T> make_object(Fields&&... fields) {
  nb::object made = nb::inst_alloc(nb::type<T>());
  new (nb::inst_ptr<T>(made)) T{std::forward<Fields>(fields)...};
  nb::inst_mark_ready(made);
  return made;
}

}  // namespace convergio::bindings
