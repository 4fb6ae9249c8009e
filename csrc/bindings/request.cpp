#include "engine/request.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bindings/bindings.h"
#include "bindings/gil.h"
#include "bindings/handles.h"
#include "bindings/objects.h"
#include "bindings/read.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace convergio::bindings {

namespace {

using engine::News;
using engine::Request;
using engine::RequestStats;

using Biases = nb::typed<nb::sequence, nb::typed<nb::tuple, int, double>>;

std::pair<int, double> read_bias(nb::handle pair) {
  return {nb::cast<int>(pair[0]), nb::cast<double>(pair[1])};
}

Made<RequestHandle> make_request(const Ints& prompt, int max_tokens, const Ints& stop_tokens,
                                 std::optional<double> timeout, int prefill_chunk,
                                 double temperature, int top_k, double top_p, double min_p,
                                 double repetition_penalty, double presence_penalty,
                                 double frequency_penalty, const Biases& logit_bias,
                                 std::uint64_t seed, std::optional<int> logprobs,
                                 const ConstraintHandle* constraint,
                                 std::optional<int> known_tokens, int priority, bool speculate,
                                 bool open_ended, double elapsed) {
  if (priority < 0 || priority > static_cast<int>(engine::Priority::Interactive)) {
    throw Error(ErrorKind::InvalidRequest, "[engine] priority is " + std::to_string(priority) +
                                               ", which must be from 0 to 2.");
  }
  engine::RequestOptions options{
      .sampling = {.repetition_penalty = repetition_penalty,
                   .presence_penalty = presence_penalty,
                   .frequency_penalty = frequency_penalty,
                   .logit_bias = read_all<std::pair<int, double>>(logit_bias, read_bias),
                   .temperature = temperature,
                   .top_k = top_k,
                   .top_p = top_p,
                   .min_p = min_p,
                   .seed = seed,
                   .logprobs = logprobs},
      .priority = static_cast<engine::Priority>(priority),
      .max_tokens = max_tokens,
      .open_ended = open_ended,
      .stop_tokens = read_ints(stop_tokens),
      .prefill_chunk = prefill_chunk,
      .timeout = timeout,
      .elapsed = elapsed,
      .known_tokens = known_tokens,
      .speculate = speculate};
  return make_object<RequestHandle>(
      std::make_shared<Request>(read_ints(prompt), std::move(options),
                                constraint == nullptr ? nullptr : constraint->constraint));
}

std::vector<int> tokens(const News& news) {
  std::vector<int> ids;
  for (const engine::Sample& sample : news.samples) {
    ids.push_back(sample.token);
  }
  return ids;
}

/// For each token (logprob, [(token, logprob) of the likeliest]), or None where not asked for.
std::vector<std::optional<std::pair<float, std::vector<std::pair<int, float>>>>> logprobs(
    const News& news) {
  std::vector<std::optional<std::pair<float, std::vector<std::pair<int, float>>>>> all;
  for (const engine::Sample& sample : news.samples) {
    if (!sample.logprob) {
      all.emplace_back();
      continue;
    }
    std::vector<std::pair<int, float>> top;
    for (const engine::TokenLogprob& one : sample.top) {
      top.emplace_back(one.token, one.logprob);
    }
    all.emplace_back(std::pair(*sample.logprob, std::move(top)));
  }
  return all;
}

/// A poll keeps the GIL: an asyncio loop that released it among busy threads would wait 5 ms for
/// each of them to get it back.
Made<News> next(RequestHandle& self, std::optional<double> timeout) {
  if (timeout && *timeout <= 0) {
    return make_object<News>(self.request->next(timeout));
  }
  return make_object<News>([&] {
    const WithoutGil without_gil;
    return self.request->next(timeout);
  }());
}

void raise_error(const News& news) {
  if (news.error) {
    throw *news.error;
  }
}

}  // namespace

void bind_request(nb::module_& m) {
  nb::class_<RequestStats>(m, "RequestStats", "Seconds spent and what was handled, so far.")
      .def_ro("queued", &RequestStats::queued)
      .def_ro("prefill", &RequestStats::prefill)
      .def_ro("decode", &RequestStats::decode)
      .def_ro("prompt_tokens", &RequestStats::prompt_tokens)
      .def_ro("cached_tokens", &RequestStats::cached_tokens)
      .def_prop_ro(
          "prefix_miss",
          [](const RequestStats& stats) { return std::string(miss_name(stats.prefix_miss)); },
          "Why no more tokens were cached; empty where all of the prompt, or all that is cached of "
          "it, was.")
      .def_ro("prefix_missed_at", &RequestStats::prefix_missed_at)
      .def_ro("output_tokens", &RequestStats::output_tokens)
      .def_ro("forced_tokens", &RequestStats::forced_tokens)
      .def_ro("drafted_tokens", &RequestStats::drafted_tokens)
      .def_ro("accepted_tokens", &RequestStats::accepted_tokens)
      .def_ro("drafting", &RequestStats::drafting)
      .def_ro("saved", &RequestStats::saved)
      .def_ro("mask", &RequestStats::mask)
      .def_ro("mask_wait", &RequestStats::mask_wait)
      .def_ro("kv_bytes", &RequestStats::kv_bytes);
  nb::class_<News>(m, "News", "What was decided since the last Request.next().")
      .def_prop_ro("tokens", &tokens)
      .def_prop_ro("logprobs", &logprobs)
      .def_prop_ro("finish",
                   [](const News& news) -> std::optional<std::string> {
                     return news.finish ? std::optional(std::string(finish_name(*news.finish)))
                                        : std::nullopt;
                   })
      .def("raise_error", &raise_error, "Raises what ended the request, where it failed.")
      .def_prop_ro("stats", [](const News& news) { return make_object<RequestStats>(news.stats); });
  nb::class_<RequestHandle>(m, "Request", "A prompt and how to answer it; used from any thread.")
      .def(nb::new_(&make_request), "prompt"_a, nb::kw_only(), "max_tokens"_a, "stop_tokens"_a,
           "timeout"_a.none(), "prefill_chunk"_a, "temperature"_a, "top_k"_a, "top_p"_a, "min_p"_a,
           "repetition_penalty"_a, "presence_penalty"_a, "frequency_penalty"_a, "logit_bias"_a,
           "seed"_a, "logprobs"_a.none(), "constraint"_a.none() = nb::none(),
           "known_tokens"_a.none() = nb::none(), "priority"_a = 1, "speculate"_a = true,
           "open_ended"_a = false, "elapsed"_a = 0.0)
      .def(
          "check", [](const RequestHandle& self) { self.request->check(); },
          "Raises where the request is over: cancelled, or too late.")
      .def("next", &next, "timeout"_a.none() = nb::none(),
           "Waits for news, at most `timeout` seconds.")
      .def(
          "cancel", [](const RequestHandle& self) { self.request->cancel(); },
          "Ends the request soon, inside prefill too.")
      .def(
          "notify",
          [](const RequestHandle& self, const NotifierHandle& notifier, std::int64_t id) {
            self.request->notify(notifier.notifier, id);
          },
          "notifier"_a, "id"_a, "Posts `id` at each piece of news from now on.");
}

}  // namespace convergio::bindings
