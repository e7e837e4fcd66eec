/* Encoders, and the cost of an autoencoder, for C and for what calls C: functions in a table that only grows.

   A table is as good as what stands within its `size`: a newer one has more functions behind these, and those that are
   here keep their meaning. In Python it is the capsule `sae_fast._core.api`, by which sae_fast.cython_api finds it.

   Matrices are row-major, rows are samples. Pointers are aligned as their type wants it; outputs overlap nothing else.
   Every function may be called by any number of threads at once, on the same handle too, but for encoder_free. Encoding
   and cost take no memory after a thread's first call of a size; none waits for a lock. */
#ifndef SAE_FAST_API_H
#define SAE_FAST_API_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SAE_FAST_API_VERSION 1
#define SAE_FAST_API_CAPSULE "sae_fast._core.api"
#define SAE_FAST_ENCODER_CAPSULE "sae_fast.EncoderHandle"

typedef struct sae_fast_encoder sae_fast_encoder; /* of float or of double, one layer or several */

typedef struct {
    double rho, beta, weight_decay, l1;
    int hidden, output; /* units: sigmoid 0, tanh 1, linear 2, relu 3, satlin 4 */
    int loss;           /* squared 0, absolute 2, huber 3, cross_entropy 4 */
    int n_threads;      /* 0: the default */
} sae_fast_cost_settings;

typedef struct {
    size_t size; /* bytes of this table */
    int version;

    /* a = unit(x W^T + b), W (n_hidden, n_visible), b (n_hidden,): copied. Null: a size that is not positive, no such
       unit, or no memory. */
    sae_fast_encoder* (*encoder_new_f32)(const float* W, const float* b, ptrdiff_t n_visible, ptrdiff_t n_hidden,
                                         int unit);
    sae_fast_encoder* (*encoder_new_f64)(const double* W, const double* b, ptrdiff_t n_visible, ptrdiff_t n_hidden,
                                         int unit);
    /* One encoder of several, bottom up, which share their weights with it and may be freed. Null: none given, not of
       one type, sizes that do not fit, or no memory. */
    sae_fast_encoder* (*encoder_stack)(const sae_fast_encoder* const* parts, ptrdiff_t n_parts);
    void (*encoder_free)(sae_fast_encoder* encoder); /* null: nothing happens */

    ptrdiff_t (*encoder_n_visible)(const sae_fast_encoder* encoder);
    ptrdiff_t (*encoder_n_hidden)(const sae_fast_encoder* encoder);
    int (*encoder_itemsize)(const sae_fast_encoder* encoder); /* 4: float, 8: double */

    /* x (n_visible,), codes (n_hidden,), on the calling thread. 0, or -1 if the encoder is of the other type, or there
       is no memory: the codes are NaN then. */
    int (*encode_one_f32)(const sae_fast_encoder* encoder, const float* x, float* codes);
    int (*encode_one_f64)(const sae_fast_encoder* encoder, const double* x, double* codes);
    /* X (n_rows, n_visible), codes (n_rows, n_hidden), with the default number of threads. As encode_one; no rows, or
       fewer, leave the codes as they are. */
    int (*encode_f32)(const sae_fast_encoder* encoder, const float* X, ptrdiff_t n_rows, float* codes);
    int (*encode_f64)(const sae_fast_encoder* encoder, const double* X, ptrdiff_t n_rows, double* codes);
    /* Rows so many elements apart, at least n_visible and n_hidden; less: -1, and the codes stay as they are.
       n_threads 0: the default. */
    int (*encode_strided_f32)(const sae_fast_encoder* encoder, const float* X, ptrdiff_t X_stride, ptrdiff_t n_rows,
                              float* codes, ptrdiff_t codes_stride, int n_threads);
    int (*encode_strided_f64)(const sae_fast_encoder* encoder, const double* X, ptrdiff_t X_stride, ptrdiff_t n_rows,
                              double* codes, ptrdiff_t codes_stride, int n_threads);

    /* J of X, or of those of its rows that `rows` (n_rows,) names, and its gradient: theta and grad are
       [W1, W2, b1, b2], W1 (n_hidden, n_visible), W2 (n_visible, n_hidden). NaN, with grad as it was: settings that
       network.hpp does not allow, no rows, or no memory. */
    double (*cost_and_grad_f32)(const float* theta, ptrdiff_t n_visible, ptrdiff_t n_hidden, const float* X,
                                const ptrdiff_t* rows, ptrdiff_t n_rows, const sae_fast_cost_settings* settings,
                                float* grad);
    double (*cost_and_grad_f64)(const double* theta, ptrdiff_t n_visible, ptrdiff_t n_hidden, const double* X,
                                const ptrdiff_t* rows, ptrdiff_t n_rows, const sae_fast_cost_settings* settings,
                                double* grad);
} sae_fast_api;

#ifdef __cplusplus
}
#endif

#endif
