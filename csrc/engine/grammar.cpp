#include "engine/grammar.h"

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <span>
#include <utility>

#include "engine/compile_threads.h"
#include "engine/failure.h"

namespace convergio::engine {

namespace {

constexpr int kAtOnce = 2;                 ///< grammars of a vocabulary that are compiled at once
constexpr std::size_t kKept = 32;          ///< grammars of a vocabulary that stay compiled
constexpr std::size_t kMessage = 1 << 14;  ///< bytes of a refusal that are read at most
constexpr std::size_t kMostForced = 512;   ///< tokens forced at once; the rest is forced again

}  // namespace

Matcher::Matcher(std::shared_ptr<TokenTable> table, llg::Matcher* handle)
    : table_(std::move(table)), handle_(handle, Free{&table_->library()}) {}

Matcher::Matcher(const Matcher& other)
    : Matcher(other.table_, other.table_->library().clone_matcher(other.handle_.get())) {}

Matcher Matcher::compile(std::shared_ptr<TokenTable> table, const std::string& grammar) {
  const llg::Library& library = table->library();
  llg::MatcherInit init{};
  library.constraint_init_set_defaults(&init, table->tokenizer());
  init.log_stderr_level = 0;
  init.limits.verbose_errors = false;
  std::string message(kMessage, '\0');
  // a warning says that something is passed over, which is a refusal here
  if (library.validate_grammar(&init, "llguidance", grammar.c_str(), message.data(),
                               message.size()) != 0) {
    throw Error(ErrorKind::InvalidRequest, message.c_str());
  }
  Matcher matcher(std::move(table), library.new_matcher(&init, "llguidance", grammar.c_str()));
  matcher.begin();
  matcher.try_step();
  return matcher;
}

/// Computes what may come first: a grammar that nothing fits, or that is too complex for a step, is
/// refused before a model runs. Copies have the lexer's states that this made.
void Matcher::begin() {
  const bool has_choice = !error() && !is_stopped() && forced().empty();
  const bool nothing_fits =
      has_choice && !std::ranges::any_of(mask(), [](std::uint32_t word) { return word != 0; }) &&
      !is_accepting();
  const auto failed = error();
  if (failed && !failed->starts_with("NoExtensionBias")) {  // which says that nothing may follow
    throw Error(ErrorKind::InvalidRequest, *failed);
  }
  if (failed || nothing_fits) {
    throw Error(ErrorKind::InvalidRequest, "no text fits it");
  }
}

/// Tries the first step: a grammar for which it is too complex is refused here, not during an
/// answer.
void Matcher::try_step() const {
  Matcher trial(*this);
  std::vector<std::uint32_t> first = trial.forced();
  if (first.empty() && !trial.is_stopped()) {
    const std::vector<std::uint32_t> allowed = trial.mask();
    const auto word = std::ranges::find_if(allowed, [](std::uint32_t bits) { return bits != 0; });
    if (word != allowed.end()) {
      const auto index = static_cast<std::uint32_t>(word - allowed.begin()) * 32U;
      first.push_back(index + static_cast<std::uint32_t>(std::countr_zero(*word)));
    }
  }
  if (!first.empty() && first.front() < table_->size()) {
    trial.consume(first);
    static_cast<void>(trial.is_stopped() ? std::vector<std::uint32_t>{} : trial.mask());
  }
  const auto failed = trial.error();
  if (failed && !failed->starts_with("NoExtensionBias")) {
    throw Error(ErrorKind::InvalidRequest, *failed);
  }
}

void Matcher::consume(std::span<const std::uint32_t> tokens) {
  static_cast<void>(
      table_->library().matcher_consume_tokens(handle_.get(), tokens.data(), tokens.size()));
}

std::optional<std::string> Matcher::error() const {
  const char* message = table_->library().matcher_get_error(handle_.get());
  return message == nullptr ? std::nullopt : std::optional<std::string>(message);
}

bool Matcher::is_stopped() const { return table_->library().matcher_is_stopped(handle_.get()); }

bool Matcher::is_accepting() const { return table_->library().matcher_is_accepting(handle_.get()); }

std::vector<std::uint32_t> Matcher::forced() const {
  std::array<std::uint32_t, kMostForced> found;
  const auto count =
      table_->library().matcher_compute_ff_tokens(handle_.get(), found.data(), found.size());
  return {found.begin(), found.begin() + std::max(count, 0)};
}

std::vector<std::uint32_t> Matcher::mask() const {
  const llg::Library& library = table_->library();
  const std::size_t bytes = library.matcher_get_mask_byte_size(handle_.get());
  std::vector<std::uint32_t> words(bytes / sizeof(std::uint32_t));
  static_cast<void>(library.matcher_compute_mask_into(handle_.get(), words.data(), bytes));
  return words;
}

std::size_t Matcher::allowed(std::span<const std::uint32_t> tokens) const {
  const auto count =
      table_->library().matcher_validate_tokens(handle_.get(), tokens.data(), tokens.size());
  return static_cast<std::size_t>(std::max(count, 0));
}

bool Grammar::done() const {
  const std::scoped_lock lock(mutex_);
  return done_;
}

bool Grammar::wait(double seconds) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::duration<double>(seconds), [this] { return done_; });
}

Matcher Grammar::matcher() const {
  const std::scoped_lock lock(mutex_);
  if (error_) {
    throw *error_;
  }
  return *matcher_;
}

void Grammar::when_done(std::function<void()> wake) {
  {
    const std::scoped_lock lock(mutex_);
    if (!done_) {
      wakes_.push_back(std::move(wake));
      return;
    }
  }
  wake();
}

void Grammar::finish(std::optional<Matcher> matcher, std::optional<Error> error) {
  std::vector<std::function<void()>> wakes;
  {
    const std::scoped_lock lock(mutex_);
    if (matcher) {
      matcher_.emplace(std::move(*matcher));
    }
    error_ = std::move(error);
    done_ = true;
    wakes = std::move(wakes_);
  }
  changed_.notify_all();
  for (const auto& wake : wakes) {
    wake();
  }
}

std::shared_ptr<Grammar> Grammars::get(const std::string& text) {
  const std::scoped_lock lock(mutex_);
  const auto kept = std::ranges::find(kept_, text, [](const auto& one) { return one.first; });
  if (kept != kept_.end()) {
    kept_.splice(kept_.begin(), kept_, kept);
    return kept->second;
  }
  std::erase_if(begun_, [](const auto& one) { return one.second.expired(); });
  if (const auto begun = begun_.find(text); begun != begun_.end()) {
    if (auto grammar = begun->second.lock()) {
      return grammar;
    }
  }
  auto grammar = std::make_shared<Grammar>();
  begun_[text] = grammar;
  waiting_.push_back({text, grammar});
  if (compiling_ < kAtOnce) {
    run_on_compile_thread([self = shared_from_this()] { return self->compile_next(); });
    ++compiling_;
  }
  return grammar;
}

/// Compiles the first of those waiting; false where there is none. Another vocabulary's grammars
/// have the thread after it.
bool Grammars::compile_next() noexcept {
  std::string text;
  std::shared_ptr<Grammar> grammar;
  {
    const std::scoped_lock lock(mutex_);
    while (grammar == nullptr && !waiting_.empty()) {
      text = std::move(waiting_.front().text);
      grammar = waiting_.front().grammar.lock();
      waiting_.pop_front();
    }
    if (grammar == nullptr) {
      --compiling_;
      return false;
    }
  }
  std::optional<Matcher> matcher;
  std::optional<Error> error;
  try {
    matcher.emplace(Matcher::compile(table_, text));
  } catch (...) {
    error = classify(std::current_exception(), ErrorKind::InferenceFailed);
  }
  try {
    if (!error) {
      keep(text, grammar);
    }
  } catch (...) {  // no memory to keep it with: it serves those who hold it
  }
  grammar->finish(std::move(matcher), std::move(error));
  return true;
}

void Grammars::keep(const std::string& text, const std::shared_ptr<Grammar>& grammar) {
  const std::scoped_lock lock(mutex_);
  begun_.erase(text);
  kept_.emplace_front(text, grammar);
  if (kept_.size() > kKept) {
    kept_.pop_back();
  }
}

}  // namespace convergio::engine
