// The functions for other languages: the codes and costs of the core to the last bit, and no memory once warm.
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <type_traits>
#include <vector>

#include "problem.hpp"
#include "sae_fast/api.hpp"

using namespace sae_fast;
using namespace sae_fast::test;

namespace {

// The functions of one type.
template <class T>
struct Functions {
    static constexpr bool single = std::is_same_v<T, float>;
    template <class F32, class F64>
    static auto pick(F32 f32, F64 f64) {
        if constexpr (single)
            return f32;
        else
            return f64;
    }
    static inline const auto encoder_new = pick(api().encoder_new_f32, api().encoder_new_f64);
    static inline const auto encode_one = pick(api().encode_one_f32, api().encode_one_f64);
    static inline const auto encode = pick(api().encode_f32, api().encode_f64);
    static inline const auto encode_strided = pick(api().encode_strided_f32, api().encode_strided_f64);
    static inline const auto cost_and_grad = pick(api().cost_and_grad_f32, api().cost_and_grad_f64);
};

struct Free {
    void operator()(sae_fast_encoder* encoder) const noexcept { api().encoder_free(encoder); }
};
using Handle = std::unique_ptr<sae_fast_encoder, Free>;

template <class T>
Handle layer_of(Size n_in, Size n_out, unsigned seed, Unit unit) {
    const auto W = numbers<T>(n_out * n_in, seed), b = numbers<T>(n_out, seed + 1);
    return Handle(Functions<T>::encoder_new(W.data(), b.data(), n_in, n_out, static_cast<int>(unit)));
}

// 61 -> 33 -> 9 -> 17, and what a network of these layers makes of the same rows.
template <class T>
struct Stack {
    static constexpr Size kSizes[] = {61, 33, 9, 17};
    static constexpr Unit kUnit[] = {Unit::sigmoid, Unit::tanh, Unit::relu};
    std::vector<T> W[3], b[3];
    Handle handle;

    Stack() {
        Handle parts[3];
        const sae_fast_encoder* given[3];
        for (unsigned l = 0; l < 3; ++l) {
            W[l] = numbers<T>(kSizes[l + 1] * kSizes[l], 10 + l);
            b[l] = numbers<T>(kSizes[l + 1], 20 + l);
            parts[l].reset(Functions<T>::encoder_new(W[l].data(), b[l].data(), kSizes[l], kSizes[l + 1],
                                                     static_cast<int>(kUnit[l])));
            given[l] = parts[l].get();
        }
        const Handle lower(api().encoder_stack(given, 2));  // stacks of stacks
        const sae_fast_encoder* both[2] = {lower.get(), given[2]};
        handle.reset(api().encoder_stack(both, 2));
    }

    std::vector<T> wanted(const std::vector<T>& X) const {
        std::vector<T> a = X;
        Workspace workspace;
        const Size m = static_cast<Size>(X.size()) / kSizes[0];
        for (int l = 0; l < 3; ++l) {
            std::vector<T> out(static_cast<std::size_t>(m * kSizes[l + 1]));
            layer_forward<T>({W[l].data(), b[l].data(), kSizes[l], kSizes[l + 1]}, samples(a, kSizes[l]), kUnit[l],
                             out.data(), kSizes[l + 1], 1, workspace);
            a = out;
        }
        return a;
    }
};

template <class T>
void stacks() {
    const Stack<T> stack;
    const sae_fast_encoder* const h = stack.handle.get();
    CHECK(api().encoder_n_visible(h) == 61 && api().encoder_n_hidden(h) == 17);
    CHECK(api().encoder_itemsize(h) == static_cast<int>(sizeof(T)));
    for (const Size m : {Size(1), Size(9), Size(1023), Size(2100)}) {
        const std::vector<T> X = numbers<T>(m * 61, 5);
        const std::vector<T> wanted = stack.wanted(X);
        std::vector<T> codes(wanted.size()), one(17);
        CHECK(Functions<T>::encode(h, X.data(), m, codes.data()) == 0);
        CHECK(codes == wanted);
        CHECK(Functions<T>::encode_one(h, X.data() + (m - 1) * 61, one.data()) == 0);
        CHECK(std::equal(one.begin(), one.end(), wanted.end() - 17));
        // Rows with gaps: what stands in those of the samples is NaN, those of the codes stay as they are.
        std::vector<T> apart(static_cast<std::size_t>(m * 70), std::numeric_limits<T>::quiet_NaN());
        for (Size i = 0; i < m; ++i) std::copy_n(X.begin() + i * 61, 61, apart.begin() + i * 70);
        std::vector<T> wide(static_cast<std::size_t>(m * 20), T(7));
        CHECK(Functions<T>::encode_strided(h, apart.data(), 70, m, wide.data(), 20, 2) == 0);
        bool same = true;
        for (Size i = 0; i < m; ++i) {
            same = same && std::equal(wanted.begin() + i * 17, wanted.begin() + (i + 1) * 17, wide.begin() + i * 20);
            same = same &&
                   std::all_of(wide.begin() + i * 20 + 17, wide.begin() + (i + 1) * 20, [](T x) { return x == 7; });
        }
        CHECK(same);
    }
}

template <class T>
void no_memory() {
    const Stack<T> stack;
    const std::vector<T> X = numbers<T>(300 * 61, 5);
    std::vector<T> codes(300 * 17), flat(61 * 33 * 2 + 61 + 33, T(0.01)), grad(flat.size());
    const sae_fast_cost_settings settings{0.05, 3, 1e-4, 0, 0, 0, 0, 1};
    const auto run = [&] {
        Functions<T>::encode_one(stack.handle.get(), X.data(), codes.data());
        Functions<T>::encode_strided(stack.handle.get(), X.data(), 61, 300, codes.data(), 17, 1);
        Functions<T>::cost_and_grad(flat.data(), 61, 33, X.data(), nullptr, 300, &settings, grad.data());
    };
    run();
    const long before = allocations();
    for (int i = 0; i < 5; ++i) run();
    CHECK(allocations() == before);
}

// What does not fit is refused, and never read or written as something else.
template <class T>
void refusals() {
    using Other = std::conditional_t<std::is_same_v<T, float>, double, float>;
    const auto isnan = [](auto x) { return std::isnan(x); };
    const Handle lower = layer_of<T>(5, 4, 1, Unit::sigmoid), other = layer_of<Other>(4, 3, 2, Unit::tanh);
    const sae_fast_encoder* mixed[] = {lower.get(), other.get()};
    const sae_fast_encoder* twice[] = {lower.get(), lower.get()};
    CHECK(api().encoder_stack(mixed, 2) == nullptr);
    CHECK(api().encoder_stack(twice, 2) == nullptr);
    CHECK(api().encoder_stack(twice, 0) == nullptr);
    const T W[4] = {1, 1, 1, 1};
    CHECK(Functions<T>::encoder_new(W, W, 0, 1, 0) == nullptr);
    CHECK(Functions<T>::encoder_new(W, W, 2, -1, 0) == nullptr);
    CHECK(Functions<T>::encoder_new(W, W, 2, 2, 5) == nullptr);
    CHECK(Functions<T>::encoder_new(W, W, Size(1) << 40, Size(1) << 40, 0) == nullptr);
    api().encoder_free(nullptr);

    const std::vector<Other> x(10, Other(1));
    std::vector<Other> codes(9, Other(7));
    CHECK(Functions<Other>::encode_one(lower.get(), x.data(), codes.data()) == -1);
    CHECK(std::all_of(codes.begin(), codes.begin() + 4, isnan) && codes[4] == Other(7));
    CHECK(Functions<Other>::encode(lower.get(), x.data(), 2, codes.data()) == -1);
    CHECK(std::all_of(codes.begin(), codes.begin() + 8, isnan) && codes[8] == Other(7));
    const std::vector<T> X(10, T(1));
    std::vector<T> out(9, T(7));
    CHECK(Functions<T>::encode_strided(lower.get(), X.data(), 4, 2, out.data(), 4, 1) == -1);
    CHECK(Functions<T>::encode_strided(lower.get(), X.data(), 5, 2, out.data(), 3, 1) == -1);
    CHECK(Functions<T>::encode(lower.get(), X.data(), 0, out.data()) == 0);
    CHECK(Functions<T>::encode(lower.get(), X.data(), -3, out.data()) == 0);
    CHECK(std::all_of(out.begin(), out.end(), [](T a) { return a == 7; }));
}

template <class T>
void costs() {
    const Size v = 17, h = 9, m = 40;
    const Arrays<T> p(v, h, 3);
    const std::vector<T> X = data<T>(m, v, 4);
    std::vector<T> theta = p.W1;
    for (const auto& part : {p.W2, p.b1, p.b2}) theta.insert(theta.end(), part.begin(), part.end());
    std::vector<T> grad(theta.size());
    const Penalty penalty{0.1, 2, 1e-3, 0.01};
    const sae_fast_cost_settings settings{0.1, 2, 1e-3, 0.01, 1, 2, 3, 2};
    const Size picked[] = {39, 0, 7, 7};
    for (const Size* rows : {static_cast<const Size*>(nullptr), &picked[0]}) {
        const Size n = rows == nullptr ? m : 4;
        const double J = Functions<T>::cost_and_grad(theta.data(), v, h, X.data(), rows, n, &settings, grad.data());
        Autoencoder<T> all(p, X, Unit::tanh, Unit::linear, penalty, Loss::huber);
        Problem<T> problem = all.problem();
        problem.X.rows = rows;
        problem.X.n_samples = n;
        Arrays<T> wanted(v, h);
        const auto view = wanted.view();
        Workspace workspace;
        CHECK(evaluate(problem, {view.data(), nullptr, nullptr}, 1, workspace).total() == J);
        CHECK(std::equal(wanted.W1.begin(), wanted.W1.end(), grad.begin()));
        CHECK(std::equal(wanted.W2.begin(), wanted.W2.end(), grad.begin() + v * h));
        CHECK(std::equal(wanted.b1.begin(), wanted.b1.end(), grad.begin() + 2 * v * h));
        CHECK(std::equal(wanted.b2.begin(), wanted.b2.end(), grad.begin() + 2 * v * h + h));
    }
    const std::vector<T> before = grad;
    const double nan = std::numeric_limits<double>::quiet_NaN();
    for (const sae_fast_cost_settings& wrong : {
             sae_fast_cost_settings{0, 2, 0, 0, 0, 0, 0, 1},
             sae_fast_cost_settings{0.1, -1, 0, 0, 0, 0, 0, 1},
             sae_fast_cost_settings{0.1, 2, nan, 0, 0, 0, 0, 1},
             sae_fast_cost_settings{0.1, 2, 0, kInfinity, 0, 0, 0, 1},
             sae_fast_cost_settings{0.1, 2, 0, 0, 3, 0, 0, 1},
             sae_fast_cost_settings{0.1, 0, 0, 0, 2, 0, 0, 1},
             sae_fast_cost_settings{0.1, 2, 0, 0, 9, 0, 0, 1},
             sae_fast_cost_settings{0.1, 2, 0, 0, 0, -1, 0, 1},
             sae_fast_cost_settings{0.1, 2, 0, 0, 0, 2, 1, 1},
             sae_fast_cost_settings{0.1, 2, 0, 0, 0, 1, 4, 1},
         })
        CHECK(std::isnan(Functions<T>::cost_and_grad(theta.data(), v, h, X.data(), nullptr, m, &wrong, grad.data())));
    CHECK(std::isnan(Functions<T>::cost_and_grad(theta.data(), v, h, X.data(), nullptr, 0, &settings, grad.data())));
    CHECK(grad == before);
}

}  // namespace

TEST("a handle of a stack gives the codes of its layers, for one row, many, and rows with gaps") {
    stacks<float>();
    stacks<double>();
}

TEST("handles take no memory once they are warm") {
    no_memory<float>();
    no_memory<double>();
}

TEST("handles refuse what does not fit") {
    refusals<float>();
    refusals<double>();
}

TEST("costs by flat vectors are those of the network") {
    costs<float>();
    costs<double>();
}
