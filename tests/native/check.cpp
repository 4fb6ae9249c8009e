#include "check.h"

#include <cstdio>
#include <cstring>
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

// Runs every test, or those whose name contains the argument; fails when it matches none.
int main(int count, char** arguments) {
  const char* wanted = count > 1 ? arguments[1] : "";
  int passes = 0;
  int failures = 0;
  for (const check::Test& test : check::tests()) {
    if (std::strstr(test.name, wanted) == nullptr) continue;
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
