// For each file named: "ok N" with its number of tensors, or the first line of what is wrong.
#include <cstdio>
#include <string_view>

#include "io/error.h"
#include "io/safetensors.h"

int main(int count, char** arguments) {
  for (int i = 1; i < count; ++i) {
    try {
      const auto checkpoint = convergio::io::Checkpoint::open(arguments[i]);
      std::printf("ok %zu\n", checkpoint.tensors().size());
    } catch (const convergio::Error& error) {
      std::printf("%s\n", error.what());
    }
  }
  return 0;
}
