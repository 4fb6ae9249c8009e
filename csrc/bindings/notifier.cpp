#include <nanobind/stl/optional.h>
#include <nanobind/stl/vector.h>

#include <optional>

#include "bindings/bindings.h"
#include "bindings/gil.h"
#include "bindings/handles.h"
#include "bindings/objects.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace convergio::bindings {

void bind_notifier(nb::module_& m) {
  nb::class_<NotifierHandle>(m, "Notifier", "Tells one thread which of many requests have news.")
      .def(nb::new_(
          [] { return make_object<NotifierHandle>(std::make_shared<engine::Notifier>()); }))
      .def(
          "wait",
          [](const NotifierHandle& self, std::optional<double> timeout) {
            return self.notifier->wait(timeout);
          },
          "timeout"_a.none() = nb::none(), nb::call_guard<WithoutGil>(),
          "The ids that were posted since the last call; waits for the first, at most `timeout` "
          "seconds. Empty once closed, or where none came.")
      .def(
          "close", [](const NotifierHandle& self) { self.notifier->close(); },
          nb::call_guard<WithoutGil>(), "Ends every wait().");
}

}  // namespace convergio::bindings
