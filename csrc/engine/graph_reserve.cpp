#include "engine/reserve.h"
#include "kernels/mlx/primitive.h"

namespace convergio::engine {

void reserve_for_graphs() {
  kernels::run_on_stream_thread([] {
    thread_local Reserve reserve;
    reserve.refill();
  });
}

}  // namespace convergio::engine
