#include "gpu/twin.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>

namespace twin {

void Group::arrive(unsigned thread, double number, bool wide, int line) {
  Place& place = places_[thread];
  place.waits = true;
  place.wide = wide;
  place.line = line;
  ++place.met;
  place.given[place.met % 2] = number;
}

/// Lets threads first .. first + count go on where all of them wait for that at the same line;
/// false where none of them does. Throws where some do.
bool Group::release(unsigned first, unsigned count, bool wide, const std::vector<Fiber>& fibers) {
  unsigned waiting = 0;
  for (unsigned i = first; i < first + count; ++i) {
    waiting += !fibers[i].handle.done() && places_[i].waits && places_[i].wide == wide ? 1 : 0;
  }
  if (waiting == 0) return false;
  for (unsigned i = first; i < first + count; ++i) {
    if (waiting < count || places_[i].line != places_[first].line) {
      throw std::logic_error("line " + std::to_string(places_[first].line) + ": " +
                             std::to_string(waiting) + " of " + std::to_string(count) +
                             " threads wait, thread " + std::to_string(i) + " at line " +
                             std::to_string(places_[i].line));
    }
    places_[i].waits = false;
  }
  return true;
}

void Group::run(const std::function<Fiber(unsigned)>& body) {
  std::vector<Fiber> fibers;
  const std::shared_ptr<void> freed(nullptr, [&fibers](void*) {
    for (const Fiber& one : fibers) one.handle.destroy();
  });
  for (unsigned i = 0; i < kThreads; ++i) fibers.push_back(body(i));
  places_ = {};
  std::vector<unsigned> order(kThreads);
  std::iota(order.begin(), order.end(), 0U);
  for (bool goes_on = true; goes_on;) {
    std::ranges::shuffle(order, random_);
    for (const unsigned i : order) {
      if (!fibers[i].handle.done() && !places_[i].waits) {
        fibers[i].handle.resume();
        if (fibers[i].handle.promise().thrown) {
          std::rethrow_exception(fibers[i].handle.promise().thrown);
        }
      }
    }
    goes_on = false;
    for (unsigned first = 0; first < kThreads; first += kLanes) {
      goes_on = release(first, kLanes, /*wide=*/false, fibers) || goes_on;
    }
    goes_on = goes_on || release(0, kThreads, /*wide=*/true, fibers);
  }
}

}  // namespace twin
