#include "sae_fast/api.hpp"

#include <algorithm>
#include <exception>
#include <limits>
#include <memory>

#include "sae_fast/local_workspace.hpp"
#include "sae_fast/network.hpp"

namespace sae_fast {

namespace {

template <std::size_t N, class Facts>
bool is_one_of(int number, const Facts (&)[N]) noexcept {
    return number >= 0 && number < static_cast<int>(N);
}

/// What work() returns, or null where it throws.
template <class Work>
sae_fast_encoder* made(Work work) noexcept {
    try {
        return work();
    } catch (const std::exception&) {
        return nullptr;
    }
}

template <class T>
sae_fast_encoder* encoder_new(const T* W, const T* b, Size n_visible, Size n_hidden, int unit) noexcept {
    constexpr Size most = std::numeric_limits<Size>::max() / 256;  // bytes of padded panels can be counted
    if (n_visible < 1 || n_hidden < 1 || n_hidden > most / n_visible || !is_one_of(unit, kUnits)) return nullptr;
    return made([=] {
        auto layer = std::make_shared<const Encoder<T>>(W, b, n_visible, n_hidden, static_cast<Unit>(unit));
        return new sae_fast_encoder(StackEncoder<T>({std::move(layer)}));
    });
}

template <class T>
sae_fast_encoder* stack_of(const sae_fast_encoder* const* parts, Size n_parts) {
    typename StackEncoder<T>::Layers layers;
    for (const sae_fast_encoder* const* part = parts; part < parts + n_parts; ++part) {
        const auto& more = std::get<StackEncoder<T>>((*part)->any).layers();
        layers.insert(layers.end(), more.begin(), more.end());
    }
    return new sae_fast_encoder(StackEncoder<T>(std::move(layers)));
}

sae_fast_encoder* encoder_stack(const sae_fast_encoder* const* parts, Size n_parts) noexcept {
    if (n_parts < 1) return nullptr;
    const bool single = std::holds_alternative<StackEncoder<float>>(parts[0]->any);
    return made([=] { return single ? stack_of<float>(parts, n_parts) : stack_of<double>(parts, n_parts); });
}

void encoder_free(sae_fast_encoder* encoder) noexcept { delete encoder; }

Size encoder_n_visible(const sae_fast_encoder* encoder) noexcept {
    return std::visit([](const auto& stack) { return stack.n_visible(); }, encoder->any);
}

Size encoder_n_hidden(const sae_fast_encoder* encoder) noexcept {
    return std::visit([](const auto& stack) { return stack.n_hidden(); }, encoder->any);
}

int encoder_itemsize(const sae_fast_encoder* encoder) noexcept {
    return std::holds_alternative<StackEncoder<float>>(encoder->any) ? 4 : 8;
}

template <class T>
int no_codes(const sae_fast_encoder* encoder, Size n_rows, T* codes, Size stride) noexcept {
    const Size n_hidden = encoder_n_hidden(encoder);
    for (Size i = 0; i < n_rows; ++i) std::fill_n(codes + i * stride, n_hidden, std::numeric_limits<T>::quiet_NaN());
    return -1;
}

template <class T>
int encode_one(const sae_fast_encoder* encoder, const T* x, T* codes) noexcept {
    const auto* const stack = std::get_if<StackEncoder<T>>(&encoder->any);
    return stack != nullptr && stack->encode_one(x, codes) ? 0 : no_codes(encoder, 1, codes, 0);
}

template <class T>
int encode_strided(const sae_fast_encoder* encoder, const T* X, Size X_stride, Size n_rows, T* codes, Size codes_stride,
                   int n_threads) noexcept {
    if (X_stride < encoder_n_visible(encoder) || codes_stride < encoder_n_hidden(encoder)) return -1;
    const auto* const stack = std::get_if<StackEncoder<T>>(&encoder->any);
    if (stack != nullptr && stack->encode(X, X_stride, n_rows, codes, codes_stride, std::max(n_threads, 0))) return 0;
    return no_codes(encoder, n_rows, codes, codes_stride);
}

template <class T>
int encode(const sae_fast_encoder* encoder, const T* X, Size n_rows, T* codes) noexcept {
    return encode_strided(encoder, X, encoder_n_visible(encoder), n_rows, codes, encoder_n_hidden(encoder), 0);
}

bool is_allowed(const sae_fast_cost_settings& s) noexcept {
    if (!is_one_of(s.hidden, kUnits) || !is_one_of(s.output, kUnits) || !is_one_of(s.loss, kLosses)) return false;
    const Unit hidden = static_cast<Unit>(s.hidden);
    const Loss loss = static_cast<Loss>(s.loss);
    const bool hides = s.beta > 0 ? has_bounded_mean(hidden) : has_mean(hidden);
    bool good = hides && !facts(loss).by_row && serves(loss, static_cast<Unit>(s.output)) && s.rho > 0 && s.rho < 1;
    for (const double weight : {s.beta, s.weight_decay, s.l1}) good = good && weight >= 0 && weight < kInfinity;
    return good;
}

template <class T>
void lay_out(T* theta, Size v, Size h, Layer<T> (&layers)[2]) noexcept {
    layers[0] = {theta, theta + 2 * v * h, v, h};
    layers[1] = {theta + v * h, theta + 2 * v * h + h, h, v};
}

template <class T>
double cost_and_grad(const T* theta, Size n_visible, Size n_hidden, const T* X, const Size* rows, Size n_rows,
                     const sae_fast_cost_settings* s, T* grad) noexcept {
    constexpr double nothing = std::numeric_limits<double>::quiet_NaN();
    if (n_visible < 1 || n_hidden < 1 || n_rows < 1 || !is_allowed(*s)) return nothing;
    const Penalty penalty{s->rho, s->beta, s->weight_decay, s->l1};
    const LayerSettings settings[2] = {{static_cast<Unit>(s->hidden), penalty},
                                       {static_cast<Unit>(s->output), penalty}};
    Layer<const T> layers[2];
    Layer<T> slopes[2];
    lay_out(theta, n_visible, n_hidden, layers);
    lay_out(grad, n_visible, n_hidden, slopes);
    constexpr Size size = sizeof(T);
    Problem<T> problem;
    problem.network = {layers, settings, 2, static_cast<Loss>(s->loss)};
    problem.X = {X, size == 4 ? DType::float32 : DType::float64, n_rows, n_visible, n_visible * size, size, rows};
    try {
        LocalWorkspace workspace;
        return evaluate(problem, {slopes, nullptr, nullptr}, std::max(s->n_threads, 0), workspace.get()).total();
    } catch (const std::exception&) {
        return nothing;
    }
}

}  // namespace

const sae_fast_api& api() noexcept {
    static constexpr sae_fast_api table = {
        sizeof(sae_fast_api), SAE_FAST_API_VERSION,  encoder_new<float>, encoder_new<double>,   encoder_stack,
        encoder_free,         encoder_n_visible,     encoder_n_hidden,   encoder_itemsize,      encode_one<float>,
        encode_one<double>,   encode<float>,         encode<double>,     encode_strided<float>, encode_strided<double>,
        cost_and_grad<float>, cost_and_grad<double>,
    };
    return table;
}

}  // namespace sae_fast
