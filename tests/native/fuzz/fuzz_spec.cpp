// A config.json and the tensors of a checkpoint, as lines of any bytes: a clean error that names
// what does not fit, or a layer for each of the config's whose tensors are there.
//
// The first line is the config; the second {"name": ["F32", 2, 3], …}, a dtype and a shape each.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "arch/spec.h"
#include "expect.h"
#include "io/error.h"
#include "io/files.h"
#include "io/json.h"

using convergio::Error;
using convergio::ErrorKind;
using convergio::arch::Config;
using convergio::arch::ConvSpec;
using convergio::arch::ExpertMatrices;
using convergio::arch::ExpertsSpec;
using convergio::arch::LatentSpec;
using convergio::arch::LayerSpec;
using convergio::arch::MatrixSpec;
using convergio::arch::ModelSpec;
using convergio::arch::Recurrence;
using convergio::arch::ShortConvSpec;
using convergio::io::Checkpoint;
using convergio::io::Json;

namespace {

constexpr std::uint64_t kMostBytes = 1 << 24;  // of tensors, in a file with a hole

/// What stands in a safetensors header for the tensors of a line, and how many bytes they take.
struct Layout {
  std::string header;
  std::uint64_t bytes = 0;
};

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

/// Good offsets for any dtypes and shapes; nullopt for what is no such line.
std::optional<Layout> layout_of(std::string_view line) {
  Layout layout;
  const Json json = Json::parse(line, "tensors", {.max_bytes = 1 << 16, .max_values = 1 << 14});
  for (const auto& [name, entry] : json.members()) {
    if (entry.items().empty() || name == "__metadata__") return std::nullopt;
    for (const char c : name) {
      if (static_cast<unsigned char>(c) < 0x20) return std::nullopt;
    }
    const auto dtype = convergio::io::dtype_from_name(entry.items()[0].as_string());
    if (!dtype) return std::nullopt;
    std::uint64_t bytes = size_of(*dtype);
    std::string shape;
    for (std::size_t i = 1; i < entry.items().size(); ++i) {
      const std::int64_t dim = entry.items()[i].as_integer();
      if (dim < 0 || dim > static_cast<std::int64_t>(kMostBytes)) return std::nullopt;
      bytes *= static_cast<std::uint64_t>(dim);
      if (bytes > kMostBytes) return std::nullopt;
      shape += (i > 1 ? "," : "") + std::to_string(dim);
    }
    layout.header += (layout.header.empty() ? "{" : ",") + json_string(name) + R"(:{"dtype":")" +
                     entry.items()[0].as_string() + R"(","shape":[)" + shape +
                     R"(],"data_offsets":[)" + std::to_string(layout.bytes) + "," +
                     std::to_string(layout.bytes + bytes) + "]}";
    layout.bytes += bytes;
    if (layout.bytes > kMostBytes) return std::nullopt;
  }
  layout.header += layout.header.empty() ? "{}" : "}";
  return layout;
}

void expect_matrix(const MatrixSpec& matrix, const Checkpoint& checkpoint) {
  EXPECT(matrix.rows > 0 && matrix.cols > 0);
  EXPECT(checkpoint.find(matrix.weight()) != nullptr);
  EXPECT(!matrix.quantization || checkpoint.find(matrix.scales()) != nullptr);
  EXPECT(!matrix.bias || checkpoint.find(matrix.bias_name()) != nullptr);
  EXPECT(matrix.form == convergio::arch::Form::Module || matrix.experts > 0);
}

void expect_experts(const ExpertsSpec& experts, const Checkpoint& checkpoint, int count) {
  expect_matrix(experts.router, checkpoint);
  EXPECT(experts.gate_up.size() == (experts.interleaved ? 1U : experts.gate_up.size()));
  EXPECT(experts.gate_up.size() == 1 || experts.gate_up.size() == 2);
  EXPECT(experts.latent_in.has_value() == experts.latent_out.has_value());
  if (experts.latent_in) {
    expect_matrix(*experts.latent_in, checkpoint);
    expect_matrix(*experts.latent_out, checkpoint);
    EXPECT(experts.latent_in->rows == experts.latent_out->cols);
  }
  for (const ExpertMatrices& stack :
       {experts.gate_up.front(), experts.gate_up.back(), experts.down}) {
    EXPECT(stack.parts.size() == (stack.stacked ? 1U : static_cast<std::size_t>(count)));
    for (const MatrixSpec& part : stack.parts) {
      expect_matrix(part, checkpoint);
      EXPECT(part.experts == (stack.stacked ? count : 0));
    }
  }
}

void expect_latent(const LatentSpec& latent, const Checkpoint& checkpoint, int heads) {
  EXPECT(latent.q_down.has_value() == latent.q_norm.has_value());
  if (latent.q_down) expect_matrix(*latent.q_down, checkpoint);
  expect_matrix(latent.q, checkpoint);
  expect_matrix(latent.kv_down, checkpoint);
  EXPECT(latent.heads.size() == 1 || latent.heads.size() == 2);
  for (const MatrixSpec& matrix : latent.heads) {
    expect_matrix(matrix, checkpoint);
    EXPECT(!matrix.bias && matrix.experts == (latent.heads.size() == 2 ? heads : 0));
  }
}

void expect_conv(const ConvSpec& conv, const Recurrence& sizes, const Checkpoint& checkpoint) {
  const auto* weight = checkpoint.find(conv.name + ".weight");
  EXPECT(conv.channels == sizes.channels && conv.taps == sizes.taps && sizes.taps >= 2);
  EXPECT(weight != nullptr && weight->shape.size() == 3 && weight->shape[0] == sizes.channels);
  EXPECT(conv.bias == (checkpoint.find(conv.name + ".bias") != nullptr));
}

void expect_sound(const ModelSpec& spec, const Checkpoint& checkpoint) {
  expect_matrix(spec.embedding, checkpoint);
  if (spec.head) expect_matrix(*spec.head, checkpoint);
  EXPECT(spec.layers.size() == spec.config.layers.size());
  for (const LayerSpec& layer : spec.layers) {
    const bool attends = layer.config.attends;
    EXPECT(layer.qkv.empty() == (layer.latent.has_value() || !attends) && layer.qkv.size() <= 3);
    EXPECT(std::holds_alternative<std::monostate>(layer.recurrence) !=
           layer.config.recurrence.is_there());
    if (const auto* conv = std::get_if<ShortConvSpec>(&layer.recurrence)) {
      expect_matrix(conv->in, checkpoint);
      expect_matrix(conv->out, checkpoint);
      expect_conv(conv->conv, layer.config.recurrence, checkpoint);
    }
    if (layer.latent) expect_latent(*layer.latent, checkpoint, layer.config.heads);
    if (layer.experts) {
      expect_experts(*layer.experts, checkpoint, spec.config.experts->router.experts);
    }
    const bool feeds = layer.config.feeds;
    EXPECT(layer.gate_up.size() <= 2 && feeds == (layer.experts || !layer.gate_up.empty()));
    EXPECT(feeds || (!layer.ffn_in && !layer.ffn_out));
    EXPECT(layer.config.mixes() || (!layer.mixer_in && !layer.mixer_out));
    for (const MatrixSpec& matrix : layer.qkv) expect_matrix(matrix, checkpoint);
    for (const MatrixSpec& matrix : layer.gate_up) expect_matrix(matrix, checkpoint);
    if (attends) expect_matrix(layer.attention_o, checkpoint);
    if (!layer.gate_up.empty()) expect_matrix(layer.ffn_down, checkpoint);
    if (layer.attention_gate) expect_matrix(*layer.attention_gate, checkpoint);
    if (layer.per_layer) expect_matrix(layer.per_layer->gate, checkpoint);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const TemporaryFolder folder;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t line = text.find('\n');
  if (line == text.npos) return 0;
  std::optional<Checkpoint> checkpoint;
  try {
    const std::optional<Layout> layout = layout_of(text.substr(line + 1));
    if (!layout) return 0;
    const auto file = folder.write("model.safetensors", safetensors(layout->header));
    std::filesystem::resize_file(file, std::filesystem::file_size(file) + layout->bytes);
    checkpoint = Checkpoint::open(folder.path());
  } catch (const Error&) {  // other targets' concern
    return 0;
  }
  try {
    expect_sound(ModelSpec::resolve(Config::parse(text.substr(0, line)), *checkpoint), *checkpoint);
  } catch (const Error& error) {
    EXPECT(error.kind() == ErrorKind::ModelCorrupt || error.kind() == ErrorKind::UnsupportedModel);
    expect_sentence(error.what());
  }
  return 0;
}
