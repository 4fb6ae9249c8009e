#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/vector.h>

#include "bindings/bindings.h"
#include "bindings/gil.h"
#include "engine/request.h"

namespace nb = nanobind;

namespace convergio::bindings {

void bind_notifier(nb::module_& m) {
  nb::class_<engine::Notifier>(m, "Notifier", "Tells one thread which of many requests have news.")
      .def(nb::init<>())
      .def("wait", &engine::Notifier::wait, nb::call_guard<WithoutGil>(),
           "The ids that were posted since the last call; waits for the first. Empty once closed.")
      .def("close", &engine::Notifier::close, nb::call_guard<WithoutGil>(), "Ends every wait().");
}

}  // namespace convergio::bindings
