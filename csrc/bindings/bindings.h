#pragma once

#include <nanobind/nanobind.h>

namespace convergio::bindings {

void bind_constraint(nanobind::module_& m);
void bind_conversion(nanobind::module_& m);
void bind_errors(nanobind::module_& m);
void bind_geometry(nanobind::module_& m);
void bind_gguf(nanobind::module_& m);
void bind_model(nanobind::module_& m);
void bind_notifier(nanobind::module_& m);
void bind_request(nanobind::module_& m);
void bind_runtime(nanobind::module_& m);
void bind_weight_files(nanobind::module_& m);

}  // namespace convergio::bindings
