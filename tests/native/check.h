// The C++ tests' few needs: TEST registers, CHECK* count and say what they saw, check.cpp runs.
#pragma once

#include <concepts>
#include <exception>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "io/error.h"

namespace check {

using Body = void (*)();
struct Registration {
  Registration(const char* name, Body body);
};

// Marks the running test as failed and prints where and why; the test goes on.
void fail(const char* file, int line, const std::string& what);

template <class T>
std::string show(const T& value) {
  std::ostringstream out;
  if constexpr (std::is_enum_v<T>) {
    out << static_cast<long long>(value);
  } else if constexpr (std::is_convertible_v<T, std::string_view>) {
    out << '"' << std::string_view(value) << '"';
  } else if constexpr (requires { out << value; }) {
    out << value;
  } else {
    out << "a value that can't be shown";
  }
  return out.str();
}

template <class T>
concept counts = std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char>;

template <class A, class B>
void equal(const char* file, int line, const char* text, const A& seen, const B& wanted) {
  bool same = false;
  if constexpr (counts<A> && counts<B>) {
    same = std::cmp_equal(seen, wanted);
  } else {
    same = seen == wanted;
  }
  if (same) return;
  fail(file, line,
       std::string(text) + "\n      is     " + show(seen) + "\n      wanted " + show(wanted));
}

template <class F>
void throws(const char* file, int line, const char* text, F&& run, convergio::ErrorKind kind,
            std::string_view message) {
  try {
    run();
  } catch (const convergio::Error& error) {
    equal(file, line, text, std::string_view(error.what()), message);
    if (error.kind() != kind) {
      fail(file, line,
           std::string(text) + " is of kind " + show(error.kind()) + ", wanted " + show(kind));
    }
    return;
  } catch (const std::exception& error) {
    return fail(file, line, std::string(text) + " threw something else: " + error.what());
  }
  fail(file, line, std::string(text) + " threw nothing, wanted " + show(message));
}

}  // namespace check

#define TEST(name)                                               \
  static void name();                                            \
  static const check::Registration register_##name(#name, name); \
  static void name()
#define CHECK(condition) \
  ((condition) ? void() : check::fail(__FILE__, __LINE__, #condition " is false"))
#define CHECK_EQ(seen, wanted) check::equal(__FILE__, __LINE__, #seen, seen, wanted)
// kind: a convergio::ErrorKind's name; message: the whole sentence.
#define CHECK_THROWS(expression, kind, message)                                \
  check::throws(                                                               \
      __FILE__, __LINE__, #expression, [&] { static_cast<void>(expression); }, \
      convergio::ErrorKind::kind, message)
