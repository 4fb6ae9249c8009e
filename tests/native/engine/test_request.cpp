#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "check.h"
#include "engine/request.h"

using convergio::Error;
using convergio::ErrorKind;
using namespace convergio::engine;
using Ids = std::vector<std::int64_t>;

namespace {

std::shared_ptr<Request> make_request(std::optional<double> timeout = {}) {
  RequestOptions options;
  options.max_tokens = 10;
  options.timeout = timeout;
  return std::make_shared<Request>(std::vector<int>{1, 2, 3}, options);
}

RequestStats stats(int output_tokens) {
  RequestStats stats;
  stats.output_tokens = output_tokens;
  return stats;
}

Sample sample(int token) {
  Sample sample;
  sample.token = token;
  return sample;
}

std::vector<int> tokens(const News& news) {
  std::vector<int> out;
  for (const Sample& one : news.samples) out.push_back(one.token);
  return out;
}

TEST(notifier_gives_each_id_once_and_in_order) {
  Notifier notifier;
  for (int i = 0; i < 3; ++i) notifier.expect();
  for (const std::int64_t id : {3, 1, 3, 2, 1}) notifier.post(id, false);
  CHECK((notifier.wait() == Ids{3, 1, 2}));
  notifier.post(3, true);
  CHECK((notifier.wait() == Ids{3}));
}

TEST(notifier_closed_waits_for_nothing) {
  Notifier notifier;
  std::thread waiting([&] { CHECK(notifier.wait().empty()); });
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  notifier.close();
  waiting.join();
  CHECK(notifier.wait().empty());
}

TEST(news_comes_once_and_the_finish_again_and_again) {
  const auto request = make_request();
  CHECK(request->next(0).samples.empty());
  CHECK(!request->next(0).finish);
  request->emit(sample(7), stats(1));
  request->emit(sample(8), stats(2));
  News news = request->next(std::nullopt);
  CHECK((tokens(news) == std::vector<int>{7, 8}));
  CHECK(!news.finish);
  CHECK_EQ(news.stats.output_tokens, 2);
  CHECK(request->next(0).samples.empty());
  request->emit(sample(9), stats(3));
  request->finish(Finish::Length, stats(3));
  news = request->next(std::nullopt);
  CHECK((tokens(news) == std::vector<int>{9}));
  CHECK(news.finish == Finish::Length);
  for (int i = 0; i < 3; ++i) {
    news = request->next(std::nullopt);
    CHECK(news.samples.empty() && news.finish == Finish::Length);
  }
}

TEST(a_failure_comes_with_its_error) {
  const auto request = make_request();
  request->emit(sample(1), stats(1));
  request->fail(Error(ErrorKind::OutOfMemory, "[test] full."), stats(1));
  const News news = request->next(std::nullopt);
  CHECK_EQ(news.samples.size(), 1);
  CHECK(news.finish == Finish::Failed);
  CHECK_EQ(std::string(news.error.value().what()), "[test] full.");
  CHECK_EQ(finish_name(*news.finish), "error");
}

TEST(next_waits_as_long_as_it_is_told) {
  const auto request = make_request();
  const auto begin = Clock::now();
  request->next(0.02);
  CHECK(Clock::now() - begin >= std::chrono::milliseconds(20));
  for (const double odd : {-1.0, 0.0, -HUGE_VAL}) request->next(odd);
  request->finish(Finish::Stop, {});
  for (const double odd : {1e300, HUGE_VAL, std::nan("")}) {
    CHECK(request->next(odd).finish == Finish::Stop);
  }
}

TEST(a_cancelled_request_is_over) {
  const auto request = make_request();
  CHECK(!request->over());
  request->check();
  request->cancel();
  CHECK(request->over());
  CHECK_THROWS(request->check(), Cancelled, "[engine] the request was cancelled.");
}

TEST(a_late_request_is_over) {
  const auto request = make_request(0.02);
  CHECK(!request->over());
  request->check();
  std::this_thread::sleep_for(std::chrono::milliseconds(25));
  CHECK(request->over());
  CHECK_THROWS(request->check(), Timeout,
               "[engine] the request took longer than its deadline of 0.02 s; allow it more time, "
               "or ask for fewer tokens.");
}

TEST(news_is_posted_to_the_notifier) {
  const auto request = make_request();
  const auto notifier = std::make_shared<Notifier>();
  request->notify(notifier, 4);
  request->emit(sample(1), {});
  CHECK((notifier->wait() == Ids{4}));
  const auto other = std::make_shared<Notifier>();
  request->notify(other, 5);  // there is unread news
  CHECK((other->wait() == Ids{5}));
  request->next(0);
  request->notify(notifier, 6);  // and now there is none
  request->finish(Finish::Stop, {});
  CHECK((notifier->wait() == Ids{6}));
}

TEST(nothing_is_lost_between_threads) {
  constexpr int count = 20'000;
  const auto request = make_request();
  std::thread producer([&] {
    for (int i = 0; i < count; ++i) request->emit(sample(i), stats(i + 1));
    request->finish(Finish::Length, stats(count));
  });
  std::vector<int> seen;
  for (News news; !news.finish;) {
    news = request->next(std::nullopt);
    for (const int token : tokens(news)) seen.push_back(token);
    CHECK_EQ(news.stats.output_tokens, static_cast<int>(seen.size()));
  }
  producer.join();
  CHECK_EQ(seen.size(), count);
  CHECK(std::ranges::is_sorted(seen));
}

// As the Python pump does: one thread waits for all, looks at those with news, and never sleeps
// while there is some.
TEST(one_thread_hears_of_many_requests) {
  constexpr int threads = 8;
  constexpr int each = 200;
  constexpr int answer = 20;
  const auto notifier = std::make_shared<Notifier>();
  std::vector<std::shared_ptr<Request>> requests;
  for (int i = 0; i < threads * each; ++i) {
    requests.push_back(make_request());
    requests.back()->notify(notifier, i);
  }
  std::atomic<int> cancelled = 0;
  std::vector<std::thread> producers;
  for (int t = 0; t < threads; ++t) {
    producers.emplace_back([&, t] {
      for (int i = t; i < threads * each; i += threads) {
        const auto& request = requests[static_cast<std::size_t>(i)];
        for (int k = 0; k < answer && !request->over(); ++k) request->emit(sample(k), {});
        cancelled += request->over();
        request->finish(request->over() ? Finish::Cancelled : Finish::Length, {});
      }
    });
  }
  std::set<std::int64_t> finished;
  std::vector<std::size_t> counts(requests.size());
  while (finished.size() < requests.size()) {
    for (const std::int64_t id : notifier->wait()) {
      const auto at = static_cast<std::size_t>(id);
      const News news = requests[at]->next(0);
      counts[at] += news.samples.size();
      if (news.finish) {
        CHECK(finished.insert(id).second || news.samples.empty());
        CHECK(news.finish != Finish::Length || counts[at] == answer);
      } else if (id % 3 == 0) {
        requests[at]->cancel();
      }
    }
  }
  for (std::thread& producer : producers) producer.join();
}

}  // namespace
