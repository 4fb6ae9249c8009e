#include "stateful.h"

#include <utility>

#include "kernels/mlx/primitive.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace convergio::kernels::testing {

namespace {

void evaluate(const WithStates& result) {
  std::vector<mx::array> all = result.states;
  all.push_back(result.y);
  mx::eval(all);
}

WithStates evaluated(WithStates result) {
  evaluate(result);
  return result;
}

void check_cuts(const StatefulOp& op, int n, const mx::array& state, const WithStates& whole,
                const std::string& what) {
  for (const int cut : {1, 2, n / 2, n - 1}) {
    if (cut < 1 || cut >= n) {
      continue;
    }
    const WithStates first = evaluated(op(0, cut, {{cut, copy_of(state)}}));
    const WithStates second = evaluated(op(cut, n, {{n - cut, first.states[0]}}));
    const std::string where = what + ", cut before row " + std::to_string(cut);
    check_close(mx::concatenate({first.y, second.y}, 0), whole.y, 0.0F, where);
    check_close(second.states[0], whole.states[0], 0.0F, where + ", the state");
  }
}

void check_alone(const StatefulOp& op, int n, const mx::array& state, const std::string& what) {
  const std::vector<int> counts =
      n < 4 ? std::vector<int>(static_cast<std::size_t>(n), 1) : std::vector<int>{1, n - 3, 2};
  std::vector<StatefulRows> sequences;
  std::vector<mx::array> results;
  std::vector<mx::array> states;
  int from = 0;
  for (const int rows : counts) {
    const mx::array own = mx::multiply(state, mx::array(static_cast<float>(sequences.size() + 1)));
    sequences.push_back({rows, copy_of(own)});
    WithStates alone = evaluated(op(from, from + rows, {{rows, copy_of(own)}}));
    results.push_back(alone.y);
    states.push_back(alone.states[0]);
    from += rows;
  }
  const WithStates together = evaluated(op(0, n, std::move(sequences)));
  check_close(together.y, mx::concatenate(results, 0), 0.0F, what + ", of several sequences");
  CHECK_EQ(together.states.size(), states.size());
  for (std::size_t i = 0; i < states.size(); ++i) {
    check_close(together.states[i], states[i], 0.0F,
                what + ", the state of sequence " + std::to_string(i));
  }
}

/// The state is that of `state`, once held and once not.
void check_in_place(const StatefulOp& op, int n, const mx::array& state, const WithStates& whole,
                    const std::string& what) {
  const mx::array held = copy_of(state);
  const WithStates copied = evaluated(op(0, n, {{n, held}}));
  check_close(held, state, 0.0F, what + ", a state that is held");
  check_close(copied.states[0], whole.states[0], 0.0F, what + ", copied");

  mx::array own = copy_of(state);
  const void* place = own.data<float>();
  std::vector<StatefulRows> sequences;
  sequences.push_back({n, std::move(own)});
  const WithStates moved = evaluated(op(0, n, std::move(sequences)));
  CHECK(moved.states[0].data<float>() == place);
  check_close(moved.y, whole.y, 0.0F, what + ", in place");
  check_close(moved.states[0], whole.states[0], 0.0F, what + ", the state in place");
}

}  // namespace

mx::array copy_of(const mx::array& state) {
  mx::array copy = mx::add(state, mx::array(0.0F));
  mx::eval(copy);
  return copy;
}

void check_oracle(const StatefulOp& op, int n, const mx::array& state, const WithStates& wanted,
                  float tolerance, const std::string& what) {
  std::vector<Isa> sets = available_isas();
  sets.push_back(Isa::Off);
  for (const Isa isa : sets) {
    const With set(isa);
    const WithStates seen = evaluated(op(0, n, {{n, copy_of(state)}}));
    const std::string which =
        std::string(isa_name(isa)) + ": " + what + ", " + std::to_string(n) + " rows";
    check_close(seen.y, wanted.y, tolerance, which);
    CHECK_EQ(seen.states.size(), 1);
    check_close(seen.states[0], wanted.states[0], tolerance, which + ", the state");
  }
}

void check_same_bits(const StatefulOp& op, int n, const mx::array& state, const std::string& what) {
  for (const Isa isa : available_isas()) {
    const With set(isa);
    const std::string which = std::string(isa_name(isa)) + ": " + what;
    const WithStates whole = evaluated(op(0, n, {{n, copy_of(state)}}));
    check_cuts(op, n, state, whole, which);
    check_alone(op, n, state, which);
    check_in_place(op, n, state, whole, which + ", in a graph");
    const Eager eager;
    const WithStates at_once = op(0, n, {{n, copy_of(state)}});
    CHECK(at_once.y.is_available());
    check_close(at_once.y, whole.y, 0.0F, which + ", at once");
    check_in_place(op, n, state, whole, which + ", at once");
  }
}

}  // namespace convergio::kernels::testing
