// Latent by latent: gradients, and what they do to the parameters.
#include <cmath>

#include "training_step.hpp"

namespace sae_fast {

// The gradients of the weights of latent j; what its encoder takes from b_dec goes to `from_b_dec`. Are there any?
template <class T>
bool TrainingStep<T>::gradients(Size j, T* g_dec, T* g_enc, T* from_b_dec) noexcept {
    const Reconstruction<T>* const parts[] = {&main_, o_.multi_k > 0 ? &multi_ : nullptr, has_aux_ ? &aux_ : nullptr};
    const T* dec = nullptr;  // where the sum goes on from
    const T* enc = nullptr;
    double dz = 0;
    for (const Reconstruction<T>* part : parts) {
        if (part == nullptr) continue;
        const Lists& lists = *part->lists;
        const Size begin = lists.starts[j];
        const Size n = lists.starts[j + 1] - begin;
        if (n == 0) continue;
        const T* const errors = error_of(*part, part->n_groups > 1 ? group_of(j) : 0, 0);
        k_.gather(dec, lists.rows + begin, lists.a + begin, n, errors, ld_, d_, g_dec);
        k_.gather(enc, lists.rows + begin, lists.dz + begin, n, rows_, ld_, d_, g_enc);
        dz += sum(lists.dz + begin, n);
        dec = g_dec;
        enc = g_enc;
    }
    vectors_[0][j] = static_cast<T>(dz);
    gradients_of_vectors(j);
    if (dec == nullptr) return false;
    if (l1_ && lengths_[j] > T(0))
        k_.add_scaled(g_dec, static_cast<T>(penalties_[j]) / (lengths_[j] * lengths_[j]), W_dec_ + j * d_, d_, g_dec);
    if (t_.rule_.tied_b_dec) k_.add_scaled(from_b_dec, -static_cast<T>(dz), W_enc_ + j * d_, d_, from_b_dec);
    return true;
}

// Of b_enc that of all architectures but gated is known already.
template <class T>
void TrainingStep<T>::gradients_of_vectors(Size j) noexcept {
    double totals[3] = {};
    const auto add = [&](const Lists& lists) {
        for (int x = 0; x < n_extra_; ++x)
            totals[x] += sum(lists.extra[x] + lists.starts[j], lists.starts[j + 1] - lists.starts[j]);
    };
    add(memory_.main);
    if (gated_) {
        if (has_aux_) add(memory_.aux);
        for (int x = 0; x < 3; ++x) vectors_[x][j] = static_cast<T>(totals[x]);
    }
    if (jump_) vectors_[1][j] = static_cast<T>(totals[0]);
    if (l1_) penalties_[j] = o_.l1 / static_cast<double>(n_) * totals[0] * static_cast<double>(lengths_[j]);
}

// How much of a decoder row is in its gradient.
template <class T>
T TrainingStep<T>::along(Size j, const T* g) const noexcept {
    if (!t_.rule_.project) return T(0);
    const T* const W = W_dec_ + j * d_;
    const double square = k_.sum_squares(W, d_);
    return square > 0 ? static_cast<T>(k_.dot(g, W, d_) / square) : T(0);
}

template <class T>
void TrainingStep<T>::move(Size j, const T* g_dec, const T* g_enc, T parallel_part, T factor,
                           const AdamStep<T>& adam) noexcept {
    const auto& P = t_.parameters_;
    const Size at = j * d_;
    k_.update_adam_row(W_enc_ + at, P[0].values[1] + at, P[0].values[2] + at, g_enc, d_, T(0), factor, adam);
    const double square = k_.update_adam_row(W_dec_ + at, P[2].values[1] + at, P[2].values[2] + at, g_dec, d_,
                                             parallel_part, factor, adam);
    if (t_.rule_.unit_norm && square > 0) k_.scale(W_dec_ + at, static_cast<T>(1 / std::sqrt(square)), d_, W_dec_ + at);
}

template <class T>
void TrainingStep<T>::gather_b_dec() noexcept {
    std::fill(means_, means_ + d_, 0.0);
    for (Size s = 0; s < n_strips_; ++s)
        for (Size c = 0; c < d_; ++c) {
            means_[c] += 2 * main_.weight * main_.sums[s * d_ + c];
            if (o_.multi_k > 0) means_[c] += 2 * multi_.weight * multi_.sums[s * d_ + c];
        }
    for (Size p = 0; p < split_.count(); ++p)
        for (Size c = 0; c < d_; ++c) means_[c] += static_cast<double>(panel_sums_[p * d_ + c]);
    for (Size c = 0; c < d_; ++c) g_b_dec_[c] = static_cast<T>(means_[c]);
}

template <class T>
AdamStep<T> TrainingStep<T>::adam_step() const noexcept {
    const SparseRule& r = t_.rule_;
    const auto n = static_cast<double>(t_.n_steps);
    return {static_cast<T>(r.beta1),
            static_cast<T>(1 - r.beta1),
            static_cast<T>(r.beta2),
            static_cast<T>(1 - r.beta2),
            static_cast<T>(o_.learning_rate / (1 - std::pow(r.beta1, n))),
            static_cast<T>(1 / std::sqrt(1 - std::pow(r.beta2, n))),
            static_cast<T>(r.epsilon)};
}

template <class T>
void TrainingStep<T>::update_panel(int member, Size p, const AdamStep<T>& adam) noexcept {
    for (Size j = split_.offset(p); j < split_.offset(p) + split_.used(p); ++j) {
        const Size slot = clips() ? j : member;
        T* const g_dec = g_dec_ + slot * ld_;
        T* const g_enc = g_enc_ + slot * ld_;
        const bool some = gradients(j, g_dec, g_enc, panel_sums_ + p * d_);
        const T part = some ? along(j, g_dec) : T(0);
        if (!clips()) {
            move(j, some ? g_dec : nullptr, some ? g_enc : nullptr, part, T(1), adam);
            continue;
        }
        if (!some) {
            std::fill(g_dec, g_dec + d_, T(0));
            std::fill(g_enc, g_enc + d_, T(0));
        }
        k_.add_scaled(g_dec, -part, W_dec_ + j * d_, d_, g_dec);
        norms_[j] = k_.sum_squares(g_dec, d_) + k_.sum_squares(g_enc, d_);
    }
}

// From here on nothing fails.
template <class T>
void TrainingStep<T>::update(SparseStepResult& result) noexcept {
    count_fired();
    ++t_.n_steps;
    const AdamStep<T> adam = adam_step();
    const auto pack = [&](Size p) { k_.pack_transposed(W_enc_, d_, h_, d_, memory_.packed, p, p + 1); };
    std::fill(panel_sums_, panel_sums_ + split_.count() * d_, T(0));
    each_panel([&](int member, Size p) {
        update_panel(member, p, adam);
        if (!clips()) pack(p);
    });
    gather_b_dec();
    const T factor = clips() ? clipped() : T(1);
    if (clips())
        each_panel([&](int, Size p) {
            for (Size j = split_.offset(p); j < split_.offset(p) + split_.used(p); ++j)
                move(j, g_dec_ + j * ld_, g_enc_ + j * ld_, T(0), factor, adam);
            pack(p);
        });
    move_vectors(factor, adam);
    for (Size j = 0; l1_ && j < h_; ++j) result.loss += penalties_[j];
}

template <class T>
T TrainingStep<T>::clipped() const noexcept {
    double square = k_.sum_squares(g_b_dec_, d_);
    for (std::size_t v = 0; v + 3 < t_.parameters_.size(); ++v) square += k_.sum_squares(vectors_[v], h_);
    for (Size j = 0; j < h_; ++j) square += norms_[j];
    const double length = std::sqrt(square);
    return length > o_.clip ? static_cast<T>(o_.clip / length) : T(1);
}

template <class T>
void TrainingStep<T>::move_vectors(T factor, const AdamStep<T>& adam) noexcept {
    const auto move = [&](std::size_t which, const T* g) {
        const auto& P = t_.parameters_[which];
        k_.update_adam_row(P.values[0], P.values[1], P.values[2], g, P.n, T(0), factor, adam);
    };
    move(1, vectors_[0]);
    move(3, g_b_dec_);
    for (std::size_t which = 4; which < t_.parameters_.size(); ++which) move(which, vectors_[which - 3]);
    for (Size j = 0; jump_ && j < h_; ++j) theta_[j] = std::max(theta_[j], T(0));
}

template <class T>
void TrainingStep<T>::count_fired() noexcept {
    const Lists& lists = memory_.main;
    std::vector<std::int64_t>& since = t_.samples_since_fired;
    for (std::int64_t& n : since) n += n_;
    for (Size i = 0; i < n_; ++i)
        for (Size e = 0; e < lists.counts[i]; ++e) {
            const int j = lists.indices_of(i)[e];
            if (code(j, lists.values_of(i)[e]) > T(0)) since[static_cast<std::size_t>(j)] = 0;
        }
    if (t_.rule_.architecture != Architecture::batchtopk || !(smallest_ < kInfinity)) return;
    memory_.guess = smallest_;
    const double old = t_.ema_threshold;
    const double stays = t_.rule_.threshold_momentum;
    t_.ema_threshold = std::isnan(old) ? smallest_ : stays * old + (1 - stays) * smallest_;
}

template void TrainingStep<float>::update(SparseStepResult&) noexcept;
template void TrainingStep<double>::update(SparseStepResult&) noexcept;

}  // namespace sae_fast
