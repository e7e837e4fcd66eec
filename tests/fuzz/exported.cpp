// The entry points of exported C, twice: weights in the source, and in a file of which any bytes may be the contents.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "inside.h"
#include "outside.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    enum { N_ROWS = 3 };
    float x[N_ROWS * INSIDE_N_FEATURES] = {0}, codes[N_ROWS * INSIDE_N_CODES], one[INSIDE_N_CODES];
    double y[OUTSIDE_N_FEATURES] = {0}, code[OUTSIDE_N_CODES];
    void* weights;
    int i, k;

    // Any rows give codes of their range, or NaN; one row as several.
    memcpy(x, data, size < sizeof x ? size : sizeof x);
    if (inside_encode_rows(x, N_ROWS, codes) != INSIDE_OK) abort();
    for (i = 0; i < N_ROWS; ++i) {
        if (inside_encode(x + i * INSIDE_N_FEATURES, one) != INSIDE_OK) abort();
        if (memcmp(one, codes + i * INSIDE_N_CODES, sizeof one) != 0) abort();
        for (k = 0; k < INSIDE_N_CODES; ++k)
            if (one[k] < -1 || one[k] > 1) abort();
    }

    // Bytes of another number are no weights; those of the right one are encoded with, whatever they say.
    if (outside_check(data, size) == OUTSIDE_OK && size != OUTSIDE_WEIGHTS_BYTES) abort();
    weights = calloc(1, OUTSIDE_WEIGHTS_BYTES);
    if (weights == NULL) return 0;
    memcpy(weights, data, size < OUTSIDE_WEIGHTS_BYTES ? size : OUTSIDE_WEIGHTS_BYTES);
    for (i = 0; i < OUTSIDE_N_FEATURES; ++i) y[i] = x[i];
    if (outside_encode(weights, y, code) != OUTSIDE_OK) abort();
    free(weights);
    return 0;
}
