// Runs one layer of a GPTQ checkpoint: linear FOLDER LAYER
#include <cstdint>
#include <cstdio>
#include <nibble/QuantLinear.h>
#include <vector>

using namespace nibble;

int main(int argc, char **argv) {
  if (argc != 3)
    return std::fprintf(stderr, "usage: linear FOLDER LAYER\n"), 2;
  Result<QuantLinear> layer = QuantLinear::load(argv[1], argv[2]);
  if (!layer.ok())
    return std::fprintf(stderr, "%s\n", layer.status().message().c_str()), 1;

  constexpr int64_t tokens = 3;
  std::vector<float> x(tokens * layer->inFeatures(), 1.0f);
  std::vector<uint16_t> y(tokens * layer->outFeatures());
  // On a GPU x and y, which are in host memory, are copied there.
  Status status = layer->reserveWorkspace(tokens);
  if (status.ok())
    status = layer->forward(
        TensorView::dense(x.data(), DType::F32, {tokens, layer->inFeatures()}),
        TensorView::dense(y.data(), DType::F16,
                          {tokens, layer->outFeatures()}));
  if (!status.ok())
    return std::fprintf(stderr, "%s\n", status.message().c_str()), 1;

  std::printf("%s: %lld x %lld, %d bits; y[0] is 0x%04x\n", argv[2],
              static_cast<long long>(layer->inFeatures()),
              static_cast<long long>(layer->outFeatures()), layer->bits(),
              y[0]);
  return 0;
}
