#include "engine/request.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bindings/bindings.h"
#include "bindings/constraint.h"
#include "bindings/gil.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace convergio::bindings {

namespace {

using engine::News;
using engine::Request;
using engine::RequestStats;

void make_request(Request* self, std::vector<int> prompt, int max_tokens,
                  std::vector<int> stop_tokens, std::optional<double> timeout, int prefill_chunk,
                  double temperature, int top_k, double top_p, double min_p,
                  double repetition_penalty, double presence_penalty, double frequency_penalty,
                  std::vector<std::pair<int, double>> logit_bias, std::uint64_t seed,
                  std::optional<int> logprobs, nb::object constraint) {
  engine::RequestOptions options{.sampling = {.repetition_penalty = repetition_penalty,
                                              .presence_penalty = presence_penalty,
                                              .frequency_penalty = frequency_penalty,
                                              .logit_bias = std::move(logit_bias),
                                              .temperature = temperature,
                                              .top_k = top_k,
                                              .top_p = top_p,
                                              .min_p = min_p,
                                              .seed = seed,
                                              .logprobs = logprobs},
                                 .max_tokens = max_tokens,
                                 .stop_tokens = std::move(stop_tokens),
                                 .prefill_chunk = prefill_chunk,
                                 .timeout = timeout};
  new (self) Request(std::move(prompt), std::move(options), wrap_constraint(std::move(constraint)));
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

/// A look without a wait keeps the GIL: an asyncio loop that gave it away among busy threads would
/// wait for its turn, 5 ms for each of them.
News next(Request& self, std::optional<double> timeout) {
  if (timeout && *timeout <= 0) {
    return self.next(timeout);
  }
  const WithoutGil without_gil;
  return self.next(timeout);
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
          "Why no more tokens were cached; empty where all that were kept are.")
      .def_ro("prefix_missed_at", &RequestStats::prefix_missed_at)
      .def_ro("output_tokens", &RequestStats::output_tokens)
      .def_ro("forced_tokens", &RequestStats::forced_tokens)
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
      .def_ro("stats", &News::stats);
  nb::class_<Request>(m, "Request", "A prompt and how to answer it; used from any thread.")
      .def("__init__", &make_request, "prompt"_a, nb::kw_only(), "max_tokens"_a, "stop_tokens"_a,
           "timeout"_a.none(), "prefill_chunk"_a, "temperature"_a, "top_k"_a, "top_p"_a, "min_p"_a,
           "repetition_penalty"_a, "presence_penalty"_a, "frequency_penalty"_a, "logit_bias"_a,
           "seed"_a, "logprobs"_a.none(), "constraint"_a.none() = nb::none())
      .def("next", &next, "timeout"_a.none() = nb::none(),
           "Waits for news, at most `timeout` seconds.")
      .def("cancel", &Request::cancel, "Ends the request soon, inside prefill too.")
      .def("notify", &Request::notify, "notifier"_a, "id"_a,
           "Posts `id` at each piece of news from now on.");
}

}  // namespace convergio::bindings
