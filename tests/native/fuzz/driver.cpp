// Drives a fuzz target where libFuzzer is not at hand: runs every file of the given folders and
// files, then seeded mutations of them. Flags as libFuzzer's: -runs=N mutations (default 0),
// -seed=N, -max_total_time=SECONDS, -max_len=BYTES, -timeout=SECONDS an input (default 10).
//
// A crash, or an input that takes too long, leaves the input in ./crash-input.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" __attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)());

namespace {

using Bytes = std::vector<std::uint8_t>;

const Bytes* running = nullptr;

void save_running() {
  if (running == nullptr) return;
  std::FILE* file = std::fopen("crash-input", "wb");
  if (file == nullptr) return;
  std::fwrite(running->data(), 1, running->size(), file);
  std::fclose(file);
  std::fprintf(stderr, "the input is in ./crash-input (%zu bytes)\n", running->size());
}

void on_signal(int number) {
  std::fprintf(stderr, number == SIGALRM ? "an input took too long\n" : "aborted\n");
  save_running();
  ::_exit(1);
}

void run(const Bytes& input, unsigned timeout) {
  running = &input;
  ::alarm(timeout);
  LLVMFuzzerTestOneInput(input.data(), input.size());
  ::alarm(0);
  running = nullptr;
}

class Mutator {
 public:
  Mutator(std::uint64_t seed, std::size_t max_bytes) : random_(seed), max_bytes_(max_bytes) {}

  std::size_t below(std::size_t n) { return n == 0 ? 0 : random_() % n; }

  Bytes mutate(Bytes bytes, const std::vector<Bytes>& corpus) {
    for (std::size_t changes = 1 + below(4); changes-- > 0;) change(bytes, corpus);
    if (bytes.size() > max_bytes_) bytes.resize(max_bytes_);
    return bytes;
  }

 private:
  void change(Bytes& bytes, const std::vector<Bytes>& corpus) {
    const std::size_t at = below(bytes.size() + 1);
    const bool inside = at < bytes.size();
    switch (below(8)) {
      case 0:
        if (inside) bytes[at] ^= static_cast<std::uint8_t>(1U << below(8));
        break;
      case 1:
        if (inside) bytes[at] = static_cast<std::uint8_t>(random_());
        break;
      case 2:
        erase(bytes, at, 1 + below(8));
        break;
      case 3:
        if (below(8) == 0) bytes.resize(at);
        break;
      case 4:
        insert(bytes, at, word());
        break;
      case 5: {
        const Bytes from = slice(bytes);
        insert(bytes, at, {reinterpret_cast<const char*>(from.data()), from.size()});
        break;
      }
      case 6: {
        const Bytes from = slice(corpus[below(corpus.size())]);
        erase(bytes, at, from.size());
        insert(bytes, at, {reinterpret_cast<const char*>(from.data()), from.size()});
        break;
      }
      default: {
        const std::string_view replacement = word();
        erase(bytes, at, replacement.size());
        insert(bytes, at, replacement);
      }
    }
  }

  Bytes slice(const Bytes& from) {
    const std::size_t start = below(from.size() + 1);
    const std::size_t size = below(std::min<std::size_t>(from.size() - start, 64) + 1);
    const auto begin = from.begin() + static_cast<std::ptrdiff_t>(start);
    return {begin, begin + static_cast<std::ptrdiff_t>(size)};
  }

  static void erase(Bytes& bytes, std::size_t at, std::size_t size) {
    const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(at);
    bytes.erase(begin, begin + static_cast<std::ptrdiff_t>(std::min(size, bytes.size() - at)));
  }

  static void insert(Bytes& bytes, std::size_t at, std::string_view what) {
    bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at), what.begin(), what.end());
  }

  std::string_view word() {
    static constexpr std::string_view words[] = {"{",
                                                 "}",
                                                 "[",
                                                 "]",
                                                 "\"",
                                                 ":",
                                                 ",",
                                                 "\\u0000",
                                                 "\\ud83d\\ude00",
                                                 "\\ud800",
                                                 "\\",
                                                 "null",
                                                 "true",
                                                 "false",
                                                 "NaN",
                                                 "-Infinity",
                                                 "0",
                                                 "-1",
                                                 "1.5",
                                                 "1e308",
                                                 "1e999",
                                                 "9223372036854775807",
                                                 "9223372036854775808",
                                                 "18446744073709551615",
                                                 "4294967296",
                                                 "[[[[",
                                                 "{\"a\":",
                                                 "\xEF\xBB\xBF",
                                                 "\xED\xA0\x80",
                                                 "\"dtype\":",
                                                 "\"shape\":",
                                                 "\"data_offsets\":",
                                                 "\"F32\"",
                                                 "\"U8\"",
                                                 "\"__metadata__\":",
                                                 std::string_view("\0\0\0\0", 4),
                                                 "\xFF\xFF\xFF\xFF"};
    return words[below(std::size(words))];
  }

  std::mt19937_64 random_;
  std::size_t max_bytes_;
};

std::uint64_t flag(std::string_view argument, std::string_view name, std::uint64_t otherwise) {
  if (!argument.starts_with(name)) return otherwise;
  return std::strtoull(argument.data() + name.size(), nullptr, 10);
}

Bytes read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    std::fprintf(stderr, "can't read %s\n", path.c_str());
    std::exit(2);
  }
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace

int main(int count, char** arguments) {
  std::uint64_t runs = 0;
  std::uint64_t seed = 1;
  std::uint64_t seconds = 0;
  std::uint64_t max_bytes = 4096;
  std::uint64_t timeout = 10;
  std::vector<std::filesystem::path> paths;
  for (int i = 1; i < count; ++i) {
    const std::string_view argument = arguments[i];
    if (argument.starts_with('-')) {
      runs = flag(argument, "-runs=", runs);
      seed = flag(argument, "-seed=", seed);
      seconds = flag(argument, "-max_total_time=", seconds);
      max_bytes = flag(argument, "-max_len=", max_bytes);
      timeout = flag(argument, "-timeout=", timeout);
    } else if (std::filesystem::is_directory(argument)) {
      for (const auto& entry : std::filesystem::directory_iterator(argument))
        paths.push_back(entry.path());
    } else {
      paths.emplace_back(argument);
    }
  }
  std::sort(paths.begin(), paths.end());

  ::signal(SIGALRM, on_signal);
  ::signal(SIGABRT, on_signal);
  if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(save_running);
  const auto start = std::chrono::steady_clock::now();
  const auto elapsed = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };

  std::vector<Bytes> corpus;
  for (const std::filesystem::path& path : paths) {
    corpus.push_back(read(path));
    run(corpus.back(), static_cast<unsigned>(timeout));
  }
  if (corpus.empty()) corpus.emplace_back();
  Mutator mutator(seed, max_bytes);
  std::uint64_t done = 0;
  while (done < runs && (seconds == 0 || elapsed() < static_cast<double>(seconds))) {
    run(mutator.mutate(corpus[mutator.below(corpus.size())], corpus),
        static_cast<unsigned>(timeout));
    ++done;
  }
  std::printf("%zu files and %llu mutations (seed %llu) in %.1f s\n", paths.size(),
              static_cast<unsigned long long>(done), static_cast<unsigned long long>(seed),
              elapsed());
  return 0;
}
