#include "engine/host_constraint.h"

#include <atomic>
#include <span>
#include <thread>
#include <vector>

#include "check.h"

using convergio::Error;
using convergio::ErrorKind;
using namespace convergio::engine;

namespace {

using Tokens = std::vector<int>;

TEST(a_question_is_answered_on_the_hosts_thread) {
  HostConstraint constraint;
  std::atomic<int> woken = 0;
  constraint.when_ready([&] { ++woken; });
  std::thread host([&] {
    while (const auto accepted = constraint.take()) {
      CHECK(HostConstraint::answering());
      constraint.reply(Constraint::Forced{*accepted});
      CHECK(!HostConstraint::answering());
    }
  });
  for (int turn = 1; turn < 100; ++turn) {
    CHECK(!constraint.ready());
    constraint.ask(Tokens(3, turn));
    while (!constraint.ready()) std::this_thread::yield();
    CHECK(std::get<Constraint::Forced>(constraint.next()).tokens == Tokens(3, turn));
  }
  constraint.close();
  host.join();
  CHECK_EQ(woken.load(), 99);
  CHECK(!HostConstraint::answering());
}

TEST(a_failure_is_thrown_where_the_reply_is_read) {
  HostConstraint constraint;
  constraint.ask(Tokens{});
  CHECK(constraint.take()->empty());
  constraint.fail(Error(ErrorKind::Constraint, "[test] no."));
  CHECK(constraint.ready());
  CHECK_THROWS(constraint.next(), Constraint, "[test] no.");
}

TEST(closing_ends_the_wait_for_a_question) {
  HostConstraint constraint;
  std::thread host([&] { CHECK(!constraint.take()); });
  constraint.close();
  host.join();
  constraint.reply(Constraint::Stop{});  // late, and read by nobody
}

}  // namespace
