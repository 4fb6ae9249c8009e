#include "bindings/bindings.h"

NB_MODULE(_native, m) {
  using namespace convergio::bindings;
  m.doc() = "The native core: models, requests and the worker that answers them.";
  // a program may end during an answer: Python then frees nothing that a daemon thread or a global
  // holds
  nanobind::set_leak_warnings(false);
  bind_errors(m);
  bind_runtime(m);
  bind_geometry(m);
  bind_model(m);
  bind_notifier(m);
  bind_constraint(m);
  bind_request(m);
  bind_weight_files(m);
  bind_conversion(m);
  bind_gguf(m);
}
