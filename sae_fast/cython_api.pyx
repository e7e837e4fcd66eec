# cython: language_level=3
"""The encoders of sae_fast for Cython; ``cython_api.pxd`` says what there is.

Passes calls on to the functions of the compiled core, which it finds in a table when it is imported.
"""

from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_IsValid

from . import _core
from .encoders._load import load_encoder as load_any

cdef extern from "sae_fast/api.h" nogil:
    const char* SAE_FAST_API_CAPSULE
    const char* SAE_FAST_ENCODER_CAPSULE

    ctypedef struct sae_fast_cost_settings:
        double rho, beta, weight_decay, l1
        int hidden, output, loss, n_threads

    ctypedef struct sae_fast_api:
        size_t size
        int version
        EncoderHandle* (*encoder_new_f32)(const float*, const float*, Py_ssize_t, Py_ssize_t, int) noexcept nogil
        EncoderHandle* (*encoder_new_f64)(const double*, const double*, Py_ssize_t, Py_ssize_t, int) noexcept nogil
        EncoderHandle* (*encoder_stack)(const EncoderHandle* const*, Py_ssize_t) noexcept nogil
        void (*encoder_free)(EncoderHandle*) noexcept nogil
        Py_ssize_t (*encoder_n_visible)(const EncoderHandle*) noexcept nogil
        Py_ssize_t (*encoder_n_hidden)(const EncoderHandle*) noexcept nogil
        int (*encoder_itemsize)(const EncoderHandle*) noexcept nogil
        int (*encode_one_f32)(const EncoderHandle*, const float*, float*) noexcept nogil
        int (*encode_one_f64)(const EncoderHandle*, const double*, double*) noexcept nogil
        int (*encode_f32)(const EncoderHandle*, const float*, Py_ssize_t, float*) noexcept nogil
        int (*encode_f64)(const EncoderHandle*, const double*, Py_ssize_t, double*) noexcept nogil
        int (*encode_strided_f32)(
            const EncoderHandle*, const float*, Py_ssize_t, Py_ssize_t, float*, Py_ssize_t, int) noexcept nogil
        int (*encode_strided_f64)(
            const EncoderHandle*, const double*, Py_ssize_t, Py_ssize_t, double*, Py_ssize_t, int) noexcept nogil
        double (*cost_and_grad_f32)(
            const float*, Py_ssize_t, Py_ssize_t, const float*, const Py_ssize_t*, Py_ssize_t,
            const sae_fast_cost_settings*, float*) noexcept nogil
        double (*cost_and_grad_f64)(
            const double*, Py_ssize_t, Py_ssize_t, const double*, const Py_ssize_t*, Py_ssize_t,
            const sae_fast_cost_settings*, double*) noexcept nogil

cdef const sae_fast_api* api = <const sae_fast_api*> PyCapsule_GetPointer(_core.api, SAE_FAST_API_CAPSULE)
if api.version != API_VERSION or api.size != sizeof(sae_fast_api):
    raise ImportError(
        f"sae_fast.cython_api is of another build than sae_fast._core (API {API_VERSION} and {api.version}): install "
        "the package anew"
    )


cdef int api_version() noexcept nogil:
    return api.version


cdef const EncoderHandle* encoder_handle(object encoder) except NULL:
    capsule = getattr(encoder, "_handle", None)
    if not PyCapsule_IsValid(capsule, SAE_FAST_ENCODER_CAPSULE):
        raise TypeError(
            f"encoder must be a sae_fast.Encoder or StackEncoder, got {type(encoder).__name__}: sae_fast.fold makes one "
            "of a model"
        )
    return <const EncoderHandle*> PyCapsule_GetPointer(capsule, SAE_FAST_ENCODER_CAPSULE)


cdef EncoderHandle* load_encoder(object path) except NULL:
    encoder = load_any(path)
    cdef const EncoderHandle* borrowed = encoder_handle(encoder)
    cdef EncoderHandle* owned = api.encoder_stack(&borrowed, 1)
    if owned is NULL:
        raise MemoryError
    return owned


cdef EncoderHandle* new_encoder_f32(
    const float* W, const float* b, Py_ssize_t n_visible, Py_ssize_t n_hidden, int unit) noexcept nogil:
    return api.encoder_new_f32(W, b, n_visible, n_hidden, unit)


cdef EncoderHandle* new_encoder_f64(
    const double* W, const double* b, Py_ssize_t n_visible, Py_ssize_t n_hidden, int unit) noexcept nogil:
    return api.encoder_new_f64(W, b, n_visible, n_hidden, unit)


cdef EncoderHandle* stack_encoders(const EncoderHandle* const* parts, Py_ssize_t n_parts) noexcept nogil:
    return api.encoder_stack(parts, n_parts)


cdef void free_encoder(EncoderHandle* encoder) noexcept nogil:
    api.encoder_free(encoder)


cdef Py_ssize_t encoder_n_visible(const EncoderHandle* encoder) noexcept nogil:
    return api.encoder_n_visible(encoder)


cdef Py_ssize_t encoder_n_hidden(const EncoderHandle* encoder) noexcept nogil:
    return api.encoder_n_hidden(encoder)


cdef int encoder_itemsize(const EncoderHandle* encoder) noexcept nogil:
    return api.encoder_itemsize(encoder)


cdef int encode_one_f32(const EncoderHandle* encoder, const float* x, float* codes) noexcept nogil:
    return api.encode_one_f32(encoder, x, codes)


cdef int encode_one_f64(const EncoderHandle* encoder, const double* x, double* codes) noexcept nogil:
    return api.encode_one_f64(encoder, x, codes)


cdef int encode_f32(const EncoderHandle* encoder, const float* X, Py_ssize_t n_rows, float* codes) noexcept nogil:
    return api.encode_f32(encoder, X, n_rows, codes)


cdef int encode_f64(const EncoderHandle* encoder, const double* X, Py_ssize_t n_rows, double* codes) noexcept nogil:
    return api.encode_f64(encoder, X, n_rows, codes)


cdef int encode_strided_f32(
    const EncoderHandle* encoder, const float* X, Py_ssize_t X_stride, Py_ssize_t n_rows, float* codes,
    Py_ssize_t codes_stride, int n_threads) noexcept nogil:
    return api.encode_strided_f32(encoder, X, X_stride, n_rows, codes, codes_stride, n_threads)


cdef int encode_strided_f64(
    const EncoderHandle* encoder, const double* X, Py_ssize_t X_stride, Py_ssize_t n_rows, double* codes,
    Py_ssize_t codes_stride, int n_threads) noexcept nogil:
    return api.encode_strided_f64(encoder, X, X_stride, n_rows, codes, codes_stride, n_threads)


cdef inline sae_fast_cost_settings settings_of(const CostSettings* settings) noexcept nogil:
    cdef sae_fast_cost_settings given
    given.rho, given.beta = settings.rho, settings.beta
    given.weight_decay, given.l1 = settings.weight_decay, settings.l1
    given.hidden, given.output = settings.hidden, settings.output
    given.loss, given.n_threads = settings.loss, settings.n_threads
    return given


cdef double cost_and_grad_f32(
    const float* theta, Py_ssize_t n_visible, Py_ssize_t n_hidden, const float* X, const Py_ssize_t* rows,
    Py_ssize_t n_rows, const CostSettings* settings, float* grad) noexcept nogil:
    cdef sae_fast_cost_settings given = settings_of(settings)
    return api.cost_and_grad_f32(theta, n_visible, n_hidden, X, rows, n_rows, &given, grad)


cdef double cost_and_grad_f64(
    const double* theta, Py_ssize_t n_visible, Py_ssize_t n_hidden, const double* X, const Py_ssize_t* rows,
    Py_ssize_t n_rows, const CostSettings* settings, double* grad) noexcept nogil:
    cdef sae_fast_cost_settings given = settings_of(settings)
    return api.cost_and_grad_f64(theta, n_visible, n_hidden, X, rows, n_rows, &given, grad)
