#include "engine/constraint.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/vector.h>

#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bindings/bindings.h"
#include "bindings/gil.h"
#include "bindings/handles.h"
#include "bindings/objects.h"
#include "bindings/read.h"
#include "engine/failure.h"
#include "engine/grammar_constraint.h"
#include "engine/host_constraint.h"
#include "io/error.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace convergio::bindings {

namespace {

using engine::Constraint;
using engine::Grammar;
using engine::GrammarConstraint;
using engine::Grammars;
using engine::HostConstraint;
using engine::TokenMask;

constexpr std::size_t kMostForced = std::size_t{1} << 20;  ///< tokens that a host forces at once

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorKind::Constraint, "[constraint] " + what);
}

struct GrammarHandle : ConstraintHandle {
  GrammarConstraint& get() const { return static_cast<GrammarConstraint&>(*constraint); }
};

struct HostHandle : ConstraintHandle {
  HostConstraint& get() const { return static_cast<HostConstraint&>(*constraint); }
};

struct GrammarsHandle {
  std::shared_ptr<Grammars> grammars;
};

std::string class_name(const nb::handle& object) {
  return read_text(nb::str(object.type().attr("__name__")));
}

struct ReleaseBuffer {
  void operator()(Py_buffer* view) const { PyBuffer_Release(view); }
};

TokenMask copy_words(const nb::handle& buffer, int vocab_size) {
  Py_buffer view{};
  if (PyObject_GetBuffer(buffer.ptr(), &view, PyBUF_ANY_CONTIGUOUS) != 0) {
    nb::raise_python_error();
  }
  const std::unique_ptr<Py_buffer, ReleaseBuffer> held(&view);
  const auto bytes = static_cast<std::size_t>(view.len);
  const bool fits = bytes <= engine::most_mask_bytes(vocab_size);
  TokenMask mask(fits ? bytes / sizeof(std::uint32_t) : 0);
  if (!mask.empty()) {
    std::memcpy(mask.data(), view.buf, mask.size() * sizeof(std::uint32_t));
  }
  if (!fits) {
    throw engine::mask_too_long(bytes, vocab_size);
  }
  if (bytes % sizeof(std::uint32_t) != 0) {
    refuse("gave a mask of " + std::to_string(bytes) +
           " bytes, which is not whole words of 4; pad its last word with zeros.");
  }
  return mask;
}

/// The items of a sequence, whatever length it claims; nullopt where it is none of ints.
std::optional<std::vector<int>> read_tokens(const nb::handle& given) {
  if (PySequence_Check(given.ptr()) == 0 || nb::isinstance<nb::str>(given)) {
    return std::nullopt;
  }
  std::vector<int> tokens;
  for (const nb::handle item : nb::iter(given)) {
    int token = 0;
    if (tokens.size() == kMostForced) {
      refuse("forces more than " + std::to_string(kMostForced) + " tokens; return fewer.");
    }
    if (!nb::try_cast(item, token)) {
      return std::nullopt;
    }
    tokens.push_back(token);
  }
  return tokens;
}

Constraint::Next read_next(const nb::object& given, int vocab_size) {
  if (given.is_none()) {
    return Constraint::Stop{};
  }
  if (PyObject_CheckBuffer(given.ptr()) != 0) {
    return copy_words(given, vocab_size);
  }
  std::optional<std::vector<int>> tokens = read_tokens(given);
  if (!tokens) {
    refuse("returned a " + class_name(given) +
           "; return a mask (bytes or another buffer), a list of tokens that must follow, or None "
           "to end the answer.");
  }
  return Constraint::Forced{std::move(*tokens)};
}

std::string raised(const nb::python_error& error) {
  std::string text;
  try {
    text = read_text(nb::str(error.value()));
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception&) {
    text = "its message cannot be read";
  }
  return "raised " + class_name(error.value()) + ": " + text +
         "; the request ends here, the next one works.";
}

/// The request's error where the host's code failed.
Error described(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const nb::python_error& error) {
    return Error(ErrorKind::Constraint, "[constraint] " + raised(error));
  } catch (const Error& error) {
    return error;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    return Error(ErrorKind::Constraint,
                 std::string("[constraint] its reply cannot be read (") + error.what() + ").");
  }
}

/// The same, or an error made beforehand where there is no memory for its sentence.
Error reply_failure(const std::exception_ptr& failure) noexcept {
  try {
    return described(failure);
  } catch (...) {
    return engine::classify(std::current_exception(), ErrorKind::Constraint);
  }
}

/// Calls the host's code for a question, and replies with what it returns: whatever fails, the
/// request gets a reply.
void answer(const HostHandle& self, const nb::object& callable, const nb::object& accepted,
            int vocab_size) {
  try {
    self.get().reply(read_next(callable(accepted), vocab_size));
  } catch (...) {
    self.get().fail(reply_failure(std::current_exception()));
  }
}

std::optional<std::vector<int>> take(const HostHandle& self) {
  const WithoutGil without_gil;
  return self.get().take();
}

/// What a Constraint of Python returns.
nb::object to_python(const Constraint::Next& next) {
  if (const auto* mask = std::get_if<TokenMask>(&next)) {
    return nb::bytes(mask->data(), mask->size() * sizeof(std::uint32_t));
  }
  if (const auto* forced = std::get_if<Constraint::Forced>(&next)) {
    return nb::cast(forced->tokens);
  }
  return nb::none();
}

nb::object call(const GrammarHandle& self, const Ints& given) {
  const std::vector<int> accepted = read_ints(given);
  Constraint::Next next;
  {
    const WithoutGil without_gil;
    self.get().ask(accepted);
    while (!self.get().grammar()->wait(1)) {
    }
    next = self.get().next();
  }
  return to_python(next);
}

/// The error of a grammar that llguidance refused, in terms of what the caller gave.
[[noreturn]] void refuse_form(const Error& error) {
  if (error.kind() != ErrorKind::InvalidRequest || error.what()[0] == '[') {
    throw error;
  }
  throw Error(ErrorKind::InvalidRequest, "[structured] the answer's form cannot be enforced (" +
                                             engine::sentence_of(error.what()) +
                                             "); change the schema, pattern or grammar.");
}

bool wait(const GrammarHandle& self, double timeout) {
  const Grammar& grammar = *self.get().grammar();
  const auto check = [&] {
    try {
      static_cast<void>(grammar.matcher());
    } catch (const Error& error) {
      refuse_form(error);
    }
    return true;
  };
  if (timeout <= 0) {  // with the GIL, as Request.next
    return grammar.done() && check();
  }
  const WithoutGil without_gil;
  return grammar.wait(timeout) && check();
}

/// A Python callable that native threads call, and may be the last to hold.
class Encoder {
 public:
  explicit Encoder(nb::object encode) : encode_(std::move(encode)) {}
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;
  ~Encoder() { drop_later(encode_.release().ptr()); }

  std::vector<std::uint32_t> operator()(std::string_view text) const {
    const WithGil gil;
    const nb::object tokens = encode_(nb::str(text.data(), text.size()));
    return read_ints<std::uint32_t>(nb::cast<nb::sequence>(tokens));
  }

 private:
  nb::object encode_;
};

Made<GrammarsHandle> make_grammars(const nb::str& given_library,
                                   const nb::typed<nb::sequence, nb::bytes>& given_tokens,
                                   const Ints& special, nb::object encode) {
  const std::string library = read_text(given_library);
  const auto tokens = read_all<std::string>(
      given_tokens, [](nb::handle token) { return read_bytes(nb::cast<nb::bytes>(token)); });
  auto specials = read_ints<std::uint32_t>(special);
  auto encoder = std::make_shared<Encoder>(std::move(encode));
  return make_object<GrammarsHandle>([&] {
    const WithoutGil without_gil;
    return std::make_shared<Grammars>(std::make_shared<engine::TokenTable>(
        library, tokens, std::move(specials),
        [encoder = std::move(encoder)](std::string_view text) { return (*encoder)(text); }));
  }());
}

Made<GrammarHandle> make_constraint(const GrammarsHandle& self, const nb::str& grammar,
                                    int vocab_size, const Ints& stop_tokens) {
  return make_object<GrammarHandle>(ConstraintHandle{std::make_shared<GrammarConstraint>(
      self.grammars->get(read_text(grammar)), vocab_size, read_ints(stop_tokens))});
}

}  // namespace

void bind_constraint(nb::module_& m) {
  nb::class_<ConstraintHandle>(m, "Constraint", "What an answer may be, token by token.");
  nb::class_<GrammarHandle, ConstraintHandle>(
      m, "GrammarConstraint",
      "Holds one answer to a grammar; a Constraint of Python as well. Made by Grammars.")
      .def("__call__", &call, "accepted"_a)
      .def(
          "allows",
          [](const GrammarHandle& self, const Ints& tokens) {
            return self.get().allows(read_ints(tokens));
          },
          "tokens"_a, "Whether these may follow, all of them.")
      .def("wait", &wait, "timeout"_a,
           "Waits until the grammar is compiled, at most `timeout` seconds; whether it is. Raises "
           "where it is refused.");
  nb::class_<HostHandle, ConstraintHandle>(
      m, "HostConstraint", "A constraint that a thread of Python answers: take(), then answer().")
      .def(nb::new_([] {
        return make_object<HostHandle>(ConstraintHandle{std::make_shared<HostConstraint>()});
      }))
      .def("take", &take, "Waits for the tokens of the next question; None at the end.")
      .def("answer", &answer, "callable"_a, "accepted"_a, "vocab_size"_a,
           "Replies with what the callable returns for these tokens.");
  nb::class_<GrammarsHandle>(m, "Grammars",
                             "The grammars of one vocabulary, compiled on threads of their own.")
      .def(nb::new_(&make_grammars), "library"_a, "tokens"_a, "special"_a, "encode"_a,
           "`library`: the path of llguidance's. `tokens`: the bytes of each id. `special`: ids "
           "that no text spells. `encode`: the tokens of a text that follows others.")
      .def(
          "prepare",
          [](const GrammarsHandle& self) {
            static_cast<void>(self.grammars->table()->tokenizer());
          },
          nb::call_guard<WithoutGil>(), "Makes llguidance's table now.")
      .def("constraint", &make_constraint, "grammar"_a, "vocab_size"_a, "stop_tokens"_a,
           "What holds one answer to a grammar, given as llguidance's JSON; it begins to be "
           "compiled unless it is.");
}

}  // namespace convergio::bindings
