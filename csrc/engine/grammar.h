#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/token_table.h"
#include "io/error.h"

namespace convergio::engine {

/// A place within a grammar. For one thread at a time; copies may be made by several.
class Matcher {
 public:
  /// Throws Error (InvalidRequest) where llguidance refuses the grammar, in its own words.
  /// `grammar` is llguidance's JSON. Compiles it, on the caller's thread: its stack has to be deep.
  static Matcher compile(std::shared_ptr<TokenTable> table, const std::string& grammar);

  Matcher(const Matcher& other);
  Matcher(Matcher&&) noexcept = default;
  Matcher& operator=(const Matcher&) = delete;
  Matcher& operator=(Matcher&&) = delete;
  ~Matcher() = default;

  const TokenTable& table() const { return *table_; }

  /// Advances by these; error() says where that failed.
  void consume(std::span<const std::uint32_t> tokens);
  /// What went wrong, for good.
  std::optional<std::string> error() const;
  bool is_stopped() const;    ///< nothing may follow
  bool is_accepting() const;  ///< the text may end here
  /// The tokens that must follow, where there is no choice.
  std::vector<std::uint32_t> forced() const;
  /// Which tokens may follow, one bit each; error() says where that failed.
  std::vector<std::uint32_t> mask() const;
  /// How many of these may follow one after the other.
  std::size_t allowed(std::span<const std::uint32_t> tokens) const;

 private:
  struct Free {
    const llg::Library* library;
    void operator()(llg::Matcher* matcher) const { library->free_matcher(matcher); }
  };
  Matcher(std::shared_ptr<TokenTable> table, llg::Matcher* handle);
  void begin();
  void try_step() const;

  std::shared_ptr<TokenTable> table_;  ///< outlives the handle
  std::unique_ptr<llg::Matcher, Free> handle_;
};

/// A grammar that is being compiled, or was. Safe to call from any thread.
class Grammar {
 public:
  /// Whether compiling has ended.
  bool done() const;
  /// Waits at most so many seconds; returns done().
  bool wait(double seconds) const;
  /// A matcher at the beginning. Throws Error where the grammar was refused; call it once done.
  Matcher matcher() const;
  /// Runs `wake` once done, on the compiling thread; at once where it is.
  void when_done(std::function<void()> wake);

 private:
  friend class Grammars;
  void finish(std::optional<Matcher> matcher, std::optional<Error> error);

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  bool done_ = false;
  std::optional<Matcher> matcher_;
  std::optional<Error> error_;
  std::vector<std::function<void()>> wakes_;
};

/// The grammars of one vocabulary. They are compiled on threads of their own, whose stacks are
/// deep; one vocabulary holds half of them at most, so that another's are compiled too. The
/// grammars used last stay compiled. Safe to call from any thread.
class Grammars : public std::enable_shared_from_this<Grammars> {
 public:
  explicit Grammars(std::shared_ptr<TokenTable> table) : table_(std::move(table)) {}

  /// `grammar` as it is compiled, or begun. One that nobody holds any more is not begun.
  ///
  /// Throws Error (InvalidRequest) in a process that was forked off after the threads started.
  std::shared_ptr<Grammar> get(const std::string& grammar);

  const std::shared_ptr<TokenTable>& table() const { return table_; }

 private:
  struct Waiting {
    std::string text;
    std::weak_ptr<Grammar> grammar;
  };

  bool compile_next() noexcept;
  void keep(const std::string& text, const std::shared_ptr<Grammar>& grammar);

  const std::shared_ptr<TokenTable> table_;
  std::mutex mutex_;
  std::deque<Waiting> waiting_;
  int compiling_ = 0;  ///< threads that have, or will soon have, the first of those waiting
  std::unordered_map<std::string, std::weak_ptr<Grammar>> begun_;     ///< and not yet compiled
  std::list<std::pair<std::string, std::shared_ptr<Grammar>>> kept_;  ///< used last first
};

}  // namespace convergio::engine
