#include "check.h"

#include <cstdio>
#include <string>
#include <vector>

namespace check {
namespace {

struct Test {
  const char* name;
  Body body;
};

std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}

bool failed = false;

}  // namespace

Registration::Registration(const char* name, Body body) { tests().push_back({name, body}); }

void fail(const char* file, int line, const std::string& what) {
  failed = true;
  std::printf("    %s:%d: %s\n", file, line, what.c_str());
}

}  // namespace check

// test_x            runs every test
// test_x WORDS      runs those whose name contains WORDS; fails where none does
// test_x --only NAME
// test_x --list     prints the names, one a line
int main(int count, char** arguments) {
  const std::string first = count > 1 ? arguments[1] : "";
  if (first == "--list") {
    for (const check::Test& test : check::tests()) std::printf("%s\n", test.name);
    return 0;
  }
  const bool only = first == "--only" && count > 2;
  const std::string wanted = only ? arguments[2] : first;
  int passes = 0;
  int failures = 0;
  for (const check::Test& test : check::tests()) {
    const std::string name = test.name;
    if (only ? name != wanted : name.find(wanted) == std::string::npos) continue;
    check::failed = false;
    try {
      test.body();
    } catch (const std::exception& error) {
      check::fail(test.name, 0, std::string("threw ") + error.what());
    }
    std::printf("%s %s\n", check::failed ? "FAIL" : "ok  ", test.name);
    std::fflush(stdout);
    ++(check::failed ? failures : passes);
  }
  std::printf("%d passed, %d failed\n", passes, failures);
  return failures > 0 || passes == 0 ? 1 : 0;
}
