# The encoders of sae_fast, and the cost of an autoencoder, for Cython: `from sae_fast.cython_api cimport ...`.
#
# The functions are found when the importing module is: it needs this file to be compiled, and links to nothing. Whoever
# was compiled with an API_VERSION runs with every later one. Matrices are row-major, rows are samples; outputs overlap
# nothing else. Functions without a Python object may be called without the GIL, by any number of threads at once, on one
# handle too. Encoding and cost take no memory after a thread's first call of a size. Codes and costs are those of
# sae_fast.Encoder, StackEncoder and cost_and_grad to the last bit.

cdef extern from *:
    """
    struct sae_fast_encoder;
    """
    cdef struct EncoderHandle "sae_fast_encoder":
        pass

cdef enum:
    API_VERSION = 1

cdef enum:  # units
    SIGMOID = 0
    TANH = 1
    LINEAR = 2
    RELU = 3
    SATLIN = 4

cdef enum:  # losses
    SQUARED = 0
    ABSOLUTE = 2
    HUBER = 3
    CROSS_ENTROPY = 4

cdef struct CostSettings:
    double rho
    double beta
    double weight_decay
    double l1
    int hidden
    int output
    int loss
    int n_threads  # 0: the default

# The version of the functions that are loaded.
cdef int api_version() noexcept nogil

# The handle of a sae_fast.Encoder or StackEncoder: valid as long as that object lives. TypeError for all else.
cdef const EncoderHandle* encoder_handle(object encoder) except NULL

# Handles of one's own, for free_encoder. That of a file of a model or an encoder, with the errors of
# sae_fast.Encoder.load and StackEncoder.load:
cdef EncoderHandle* load_encoder(object path) except NULL
# Of arrays, which are copied: a = unit(x W^T + b), W (n_hidden, n_visible), b (n_hidden,). NULL: a size that is not
# positive, no such unit, or no memory.
cdef EncoderHandle* new_encoder_f32(
    const float* W, const float* b, Py_ssize_t n_visible, Py_ssize_t n_hidden, int unit) noexcept nogil
cdef EncoderHandle* new_encoder_f64(
    const double* W, const double* b, Py_ssize_t n_visible, Py_ssize_t n_hidden, int unit) noexcept nogil
# Of others, bottom up: they share their weights with it, and may be freed before it. NULL: none given, not of one type,
# sizes that do not fit, or no memory.
cdef EncoderHandle* stack_encoders(const EncoderHandle* const* parts, Py_ssize_t n_parts) noexcept nogil
# NULL: nothing happens.
cdef void free_encoder(EncoderHandle* encoder) noexcept nogil

cdef Py_ssize_t encoder_n_visible(const EncoderHandle* encoder) noexcept nogil
cdef Py_ssize_t encoder_n_hidden(const EncoderHandle* encoder) noexcept nogil
cdef int encoder_itemsize(const EncoderHandle* encoder) noexcept nogil  # 4: float, 8: double

# One row, on the calling thread: x (n_visible,), codes (n_hidden,). 0, or -1 if the encoder is of the other type or
# there is no memory: the codes are NaN then.
cdef int encode_one_f32(const EncoderHandle* encoder, const float* x, float* codes) noexcept nogil
cdef int encode_one_f64(const EncoderHandle* encoder, const double* x, double* codes) noexcept nogil

# X (n_rows, n_visible), codes (n_rows, n_hidden), on as many threads as sae_fast.get_num_threads() says, where the work
# is worth them. Returns as encode_one does.
cdef int encode_f32(const EncoderHandle* encoder, const float* X, Py_ssize_t n_rows, float* codes) noexcept nogil
cdef int encode_f64(const EncoderHandle* encoder, const double* X, Py_ssize_t n_rows, double* codes) noexcept nogil

# The same of rows that are so many elements apart, at least n_visible and n_hidden (less: -1, and the codes stay as
# they are), on n_threads threads (0: the default).
cdef int encode_strided_f32(
    const EncoderHandle* encoder, const float* X, Py_ssize_t X_stride, Py_ssize_t n_rows, float* codes,
    Py_ssize_t codes_stride, int n_threads) noexcept nogil
cdef int encode_strided_f64(
    const EncoderHandle* encoder, const double* X, Py_ssize_t X_stride, Py_ssize_t n_rows, double* codes,
    Py_ssize_t codes_stride, int n_threads) noexcept nogil

# J of X (..., n_visible), or of those n_rows of its rows that `rows` names (NULL: the first n_rows), and its gradient.
# theta and grad are [W1, W2, b1, b2], as sae_fast.flatten makes them. NaN, with grad as it was: settings that
# sae_fast.cost_and_grad refuses, sizes that are not positive, or no memory.
cdef double cost_and_grad_f32(
    const float* theta, Py_ssize_t n_visible, Py_ssize_t n_hidden, const float* X, const Py_ssize_t* rows,
    Py_ssize_t n_rows, const CostSettings* settings, float* grad) noexcept nogil
cdef double cost_and_grad_f64(
    const double* theta, Py_ssize_t n_visible, Py_ssize_t n_hidden, const double* X, const Py_ssize_t* rows,
    Py_ssize_t n_rows, const CostSettings* settings, double* grad) noexcept nogil
