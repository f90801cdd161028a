// Runs one layer of a GPTQ checkpoint: linear-c FOLDER LAYER
#include <nibble/nibble.h>
#include <stdio.h>
#include <stdlib.h>

// y is the layer's output of `tokens` rows of ones.
static nibble_status run(nibble_layer *layer, const nibble_layer_info *info,
                         int64_t tokens, float *x_data, uint16_t *y_data) {
  for (int64_t i = 0; i < tokens * info->in_features; ++i)
    x_data[i] = 1.0f;
  int64_t x_shape[] = {tokens, info->in_features};
  int64_t y_shape[] = {tokens, info->out_features};
  nibble_tensor x = {x_data, NIBBLE_F32, 2, x_shape, NULL};
  nibble_tensor y = {y_data, NIBBLE_F16, 2, y_shape, NULL};
  // On a GPU x and y, which are in host memory, are copied there.
  nibble_status status = nibble_layer_reserve_workspace(layer, tokens, NULL);
  if (status == NIBBLE_OK)
    status = nibble_layer_forward(layer, &x, &y, NULL, NULL, 0);
  return status;
}

int main(int argc, char **argv) {
  if (argc != 3)
    return fprintf(stderr, "usage: linear-c FOLDER LAYER\n"), 2;
  nibble_layer *layer = NULL;
  nibble_layer_info info = NIBBLE_LAYER_INFO_INIT;
  nibble_status status = nibble_layer_load(argv[1], argv[2], NULL, &layer);
  if (status == NIBBLE_OK)
    status = nibble_layer_get_info(layer, &info);
  if (status != NIBBLE_OK)
    return fprintf(stderr, "%s\n", nibble_last_error()), 1;

  const int64_t tokens = 3;
  float *x = malloc((size_t)(tokens * info.in_features) * sizeof *x);
  uint16_t *y = malloc((size_t)(tokens * info.out_features) * sizeof *y);
  if (!x || !y)
    return fprintf(stderr, "no memory for x and y\n"), 1;
  status = run(layer, &info, tokens, x, y);
  if (status == NIBBLE_OK)
    printf("%s: %lld x %lld, %d bits; y[0] is 0x%04x\n", argv[2],
           (long long)info.in_features, (long long)info.out_features,
           (int)info.bits, (unsigned)y[0]);
  else
    fprintf(stderr, "%s\n", nibble_last_error());
  free(x);
  free(y);
  nibble_layer_destroy(layer);
  return status == NIBBLE_OK ? 0 : 1;
}
