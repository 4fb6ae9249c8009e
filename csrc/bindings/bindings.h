#pragma once

#include <nanobind/nanobind.h>

namespace convergio::bindings {

void bind_errors(nanobind::module_& m);
void bind_geometry(nanobind::module_& m);
void bind_model(nanobind::module_& m);
void bind_notifier(nanobind::module_& m);
void bind_request(nanobind::module_& m);
void bind_runtime(nanobind::module_& m);

}  // namespace convergio::bindings
