# cython: language_level=3, boundscheck=False
"""What somebody writes in Cython, with every function of sae_fast.cython_api."""

from libc.string cimport memcmp

from sae_fast.cython_api cimport (
    API_VERSION, CostSettings, EncoderHandle, api_version, cost_and_grad_f32, cost_and_grad_f64, encode_f32, encode_f64,
    encode_one_f32, encode_one_f64, encode_strided_f32, encode_strided_f64, encoder_handle, encoder_itemsize,
    encoder_n_hidden, encoder_n_visible, free_encoder, load_encoder, new_encoder_f32, new_encoder_f64, stack_encoders,
)

ctypedef fused real:
    float
    double


def versions():
    return API_VERSION, api_version()


def facts(py_encoder):
    cdef const EncoderHandle* h = encoder_handle(py_encoder)
    return encoder_n_visible(h), encoder_n_hidden(h), encoder_itemsize(h)


def encode(py_encoder, const real[:, ::1] X, real[:, ::1] codes, real[:, ::1] one_by_one):
    cdef const EncoderHandle* h = encoder_handle(py_encoder)
    cdef Py_ssize_t n_rows = X.shape[0], i
    cdef int failed
    with nogil:
        if real is float:
            failed = encode_f32(h, &X[0, 0], n_rows, &codes[0, 0])
        else:
            failed = encode_f64(h, &X[0, 0], n_rows, &codes[0, 0])
        for i in range(n_rows):
            if real is float:
                failed |= encode_one_f32(h, &X[i, 0], &one_by_one[i, 0])
            else:
                failed |= encode_one_f64(h, &X[i, 0], &one_by_one[i, 0])
    return failed


def encode_strided(py_encoder, const real[:, :] X, real[:, :] codes, int n_threads):
    cdef const EncoderHandle* h = encoder_handle(py_encoder)
    cdef Py_ssize_t X_stride = X.strides[0] // <Py_ssize_t> sizeof(real)
    cdef Py_ssize_t codes_stride = codes.strides[0] // <Py_ssize_t> sizeof(real)
    cdef int failed
    with nogil:
        if real is float:
            failed = encode_strided_f32(h, &X[0, 0], X_stride, X.shape[0], &codes[0, 0], codes_stride, n_threads)
        else:
            failed = encode_strided_f64(h, &X[0, 0], X_stride, X.shape[0], &codes[0, 0], codes_stride, n_threads)
    return failed


def count_differences(py_encoder, const double[:, ::1] X, const double[:, ::1] wanted, double[::1] codes, int n_times):
    """Rows whose codes are not the wanted bits, all of it without the GIL."""
    cdef const EncoderHandle* h = encoder_handle(py_encoder)
    cdef Py_ssize_t i, n = 0
    cdef int k
    with nogil:
        for k in range(n_times):
            for i in range(X.shape[0]):
                encode_one_f64(h, &X[i, 0], &codes[0])
                n += memcmp(&codes[0], &wanted[i, 0], <size_t> codes.shape[0] * sizeof(double)) != 0
    return n


cdef class Owned:
    cdef EncoderHandle* handle

    def __dealloc__(self):
        free_encoder(self.handle)

    def codes_of(self, const real[:, ::1] X, real[:, ::1] codes):
        if real is float:
            return encode_f32(self.handle, &X[0, 0], X.shape[0], &codes[0, 0])
        else:
            return encode_f64(self.handle, &X[0, 0], X.shape[0], &codes[0, 0])


def load(path):
    cdef Owned owned = Owned()
    owned.handle = load_encoder(path)
    return owned


def layer_of(const real[:, ::1] W, const real[::1] b, int unit):
    cdef Owned owned = Owned()
    if real is float:
        owned.handle = new_encoder_f32(&W[0, 0], &b[0], W.shape[1], W.shape[0], unit)
    else:
        owned.handle = new_encoder_f64(&W[0, 0], &b[0], W.shape[1], W.shape[0], unit)
    return None if owned.handle is NULL else owned


def stack_of(Owned lower, Owned upper):
    cdef Owned owned = Owned()
    cdef const EncoderHandle* parts[2]
    parts[0], parts[1] = lower.handle, upper.handle
    owned.handle = stack_encoders(parts, 2)
    return None if owned.handle is NULL else owned


def cost_and_grad(const real[::1] theta, int n_hidden, const real[:, ::1] X, const Py_ssize_t[::1] rows, real[::1] grad,
                  double rho, double beta, double weight_decay, double l1, int hidden, int output, int loss):
    cdef CostSettings settings = CostSettings(rho, beta, weight_decay, l1, hidden, output, loss, 0)
    cdef const Py_ssize_t* picked = NULL
    cdef Py_ssize_t n_rows = X.shape[0], v = X.shape[1]
    cdef double J
    if rows is not None:
        picked, n_rows = &rows[0], rows.shape[0]
    with nogil:
        if real is float:
            J = cost_and_grad_f32(&theta[0], v, n_hidden, &X[0, 0], picked, n_rows, &settings, &grad[0])
        else:
            J = cost_and_grad_f64(&theta[0], v, n_hidden, &X[0, 0], picked, n_rows, &settings, &grad[0])
    return J
