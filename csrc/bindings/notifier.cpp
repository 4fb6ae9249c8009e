#include <nanobind/stl/vector.h>

#include "bindings/bindings.h"
#include "bindings/gil.h"
#include "bindings/handles.h"
#include "bindings/objects.h"

namespace nb = nanobind;

namespace convergio::bindings {

void bind_notifier(nb::module_& m) {
  nb::class_<NotifierHandle>(m, "Notifier", "Tells one thread which of many requests have news.")
      .def(nb::new_(
          [] { return make_object<NotifierHandle>(std::make_shared<engine::Notifier>()); }))
      .def(
          "wait", [](const NotifierHandle& self) { return self.notifier->wait(); },
          nb::call_guard<WithoutGil>(),
          "The ids that were posted since the last call; waits for the first. Empty once closed.")
      .def(
          "close", [](const NotifierHandle& self) { self.notifier->close(); },
          nb::call_guard<WithoutGil>(), "Ends every wait().");
}

}  // namespace convergio::bindings
