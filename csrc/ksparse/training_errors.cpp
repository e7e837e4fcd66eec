// Row by row: reconstructions, their errors, and what these say to the codes.
#include <atomic>
#include <cmath>

#include "training_step.hpp"

namespace sae_fast {

template <class T>
BadRow TrainingStep<T>::errors(SparseStepResult& result) {
    Worst worst;
    std::atomic<Size> n_active{0};
    if (l1_)
        for (Size j = 0; j < h_; ++j) lengths_[j] = static_cast<T>(std::sqrt(k_.sum_squares(W_dec_ + j * d_, d_)));
    each_strip([&](int member, Size s) {
        Size active = 0;
        for (Size i = s * kRows; i < end_of(s); ++i) {
            active += codes_of_row(memory_.main, member, i);
            errors_of_row(main_, member, i);
            squares_[i] = k_.sum_squares(error_of(main_, n_groups_ - 1, i), d_);
            if (gated_) gates_of_row(member, i);
            keep(main_, member, i);
            double loss = main_.losses[i] + (gated_ ? gate_losses_[i] : 0);
            if (o_.multi_k > 0) {
                codes_of_row(memory_.multi, member, i);
                errors_of_row(multi_, member, i);
                keep(multi_, member, i);
                loss += multi_.losses[i];
            }
            if (!(loss - loss == 0)) worst.note(i, false);
        }
        n_active.fetch_add(active, std::memory_order_relaxed);
    });
    sum_rows(main_.errors, main_.sums);
    result.n_active = n_active;
    result.squared_error = sum_of_rows(squares_);
    result.loss = main_.weight * sum_of_rows(main_.losses);
    if (gated_) result.loss += sum_of_rows(gate_losses_);
    if (jump_) result.loss += o_.l0 / static_cast<double>(n_) * static_cast<double>(result.n_active);
    if (o_.multi_k > 0) {
        sum_rows(multi_.errors, multi_.sums);
        result.loss += multi_.weight * sum_of_rows(multi_.losses);
    }
    return worst.found();
}

// a of a row, to the member's scratch; how many are > 0.
template <class T>
Size TrainingStep<T>::codes_of_row(const Lists& lists, int member, Size i) noexcept {
    const int* const indices = lists.indices_of(i);
    const T* const values = lists.values_of(i);
    T* const a = of_member(acts_, member);
    Size active = 0;
    for (Size e = 0; e < lists.counts[i]; ++e) {
        a[e] = code(indices[e], values[e]);
        active += a[e] > T(0) ? 1 : 0;
    }
    return active;
}

// Errors of all groups, the first of which is then what all of them say, and products with the decoder rows.
template <class T>
void TrainingStep<T>::errors_of_row(const Reconstruction<T>& part, int member, Size i) noexcept {
    const Lists& lists = *part.lists;
    const Size n = lists.counts[i];
    const int* const indices = lists.indices_of(i);
    const T* const a = of_member(acts_, member);
    T* const dots = of_member(dots_, member);
    const auto end_of_group = [&](Size g, Size begin) {
        if (g == n_groups_ - 1) return n;
        const auto size = static_cast<int>(t_.rule_.groups[static_cast<std::size_t>(g)]);
        return static_cast<Size>(std::lower_bound(indices + begin, indices + n, size) - indices);
    };
    const T* base = t_.rule_.tied_b_dec ? nullptr : b_dec_;  // rows have lost b_dec where it is tied
    Size begin = 0;
    for (Size g = 0; g < n_groups_; ++g) {
        const Size end = end_of_group(g, begin);
        k_.gather(base, indices + begin, a + begin, end - begin, W_dec_, d_, d_, error_of(part, g, i));
        base = error_of(part, g, i);
        begin = end;
    }
    double loss = 0;
    for (Size g = n_groups_; g-- > 0;) {
        T* const e = error_of(part, g, i);
        k_.add_scaled(e, T(-1), rows_ + i * ld_, d_, e);
        loss += k_.sum_squares(e, d_);
    }
    part.losses[i] = loss;
    for (Size g = n_groups_ - 1; g-- > 0;)
        k_.add_scaled(error_of(part, g, i), T(1), error_of(part, g + 1, i), d_, error_of(part, g, i));
    begin = 0;
    for (Size g = 0; g < n_groups_; ++g) {
        const Size end = end_of_group(g, begin);
        k_.pick_dots(error_of(part, g, i), indices + begin, end - begin, W_dec_, d_, d_, dots + begin);
        begin = end;
    }
}

// What the gates alone reconstruct, and what its error says to them.
template <class T>
void TrainingStep<T>::gates_of_row(int member, Size i) noexcept {
    const Lists& lists = memory_.main;
    const Size n = lists.counts[i];
    const int* const indices = lists.indices_of(i);
    T* const opened = of_member(gate_acts_, member);
    T* const e = gate_errors_ + member * ld_;
    double total = 0;
    for (Size x = 0; x < n; ++x) {
        opened[x] = lists.values_of(i)[x] + b_gate_[indices[x]];
        total += static_cast<double>(opened[x]);
    }
    k_.gather(t_.rule_.tied_b_dec ? nullptr : b_dec_, indices, opened, n, W_dec_, d_, d_, e);
    k_.add_scaled(e, T(-1), rows_ + i * ld_, d_, e);
    gate_losses_[i] = scale_ * k_.sum_squares(e, d_) + o_.l1 / static_cast<double>(n_) * total;
    k_.pick_dots(e, indices, n, W_dec_, d_, d_, of_member(gate_dots_, member));
}

// A row's part of the lists by latent.
template <class T>
void TrainingStep<T>::keep(const Reconstruction<T>& part, int member, Size i) noexcept {
    const Lists& lists = *part.lists;
    const auto n = static_cast<double>(n_);
    const auto factor = static_cast<T>(2 * part.weight);
    const bool main = &part == &main_;
    const auto l1 = static_cast<T>(o_.l1 / n);
    const auto l0 = static_cast<T>(o_.l0 / n);
    const T* const a = of_member(acts_, member);
    const T* const dots = of_member(dots_, member);
    for (Size e = 0; e < lists.counts[i]; ++e) {
        const Size at = lists.places_of(i)[e];
        const Size j = lists.indices_of(i)[e];
        const T value = lists.values_of(i)[e];
        const T da = factor * dots[e];
        const T dz = a[e] > T(0) ? da : T(0);
        lists.a[at] = factor * a[e];
        lists.dz[at] = dz;
        if (!main) continue;
        if (l1_) {
            lists.dz[at] += l1 * lengths_[j];
            lists.extra[0][at] = a[e];
        }
        if (jump_) {
            const bool near = std::fabs(value - theta_[j]) < static_cast<T>(o_.bandwidth / 2);
            lists.extra[0][at] = near ? -(theta_[j] * da + l0) / static_cast<T>(o_.bandwidth) : T(0);
        }
        if (gated_) {
            const T dg = static_cast<T>(2 * scale_) * of_member(gate_dots_, member)[e] + l1;
            const T gain = memory_.gain[j];
            lists.dz[at] = dz * gain + dg;
            lists.extra[0][at] = dz;
            lists.extra[1][at] = dg;
            lists.extra[2][at] = dz * gain * value;
        }
    }
}

// Latents that nothing excites learn what the others leave over.
template <class T>
void TrainingStep<T>::auxiliary(SparseStepResult& result) {
    std::vector<int>& dead = memory_.dead;
    dead.clear();
    dead.reserve(static_cast<std::size_t>(h_));
    for (Size j = 0; j < h_; ++j)
        if (t_.samples_since_fired[static_cast<std::size_t>(j)] >= o_.dead_after) dead.push_back(static_cast<int>(j));
    result.n_dead = static_cast<Size>(dead.size());
    has_aux_ = o_.aux_k > 0 && o_.aux_weight > 0 && result.n_dead > 0;
    if (!has_aux_) return;
    result.bad = encode_dead();
    if (result.bad.row >= 0 || interrupted()) return;
    const double scale = o_.aux_normalized ? one_by_variance_of_errors() : 1 / static_cast<double>(n_);
    aux_.weight = o_.aux_weight * scale;
    Worst worst;
    each_row([&](int member, Size i) {
        aux_of_row(member, i);
        if (!(aux_.losses[i] - aux_.losses[i] == 0)) worst.note(i, false);
    });
    result.bad = worst.found();
    result.aux_loss = scale * sum_of_rows(aux_.losses);
    result.loss += o_.aux_weight * result.aux_loss;
}

template <class T>
void TrainingStep<T>::aux_of_row(int member, Size i) noexcept {
    const Lists& lists = memory_.aux;
    const Size n = lists.counts[i];
    const int* const indices = lists.indices_of(i);
    const T* const a = lists.values_of(i);
    T* const e = error_of(aux_, 0, i);
    T* const dots = of_member(dots_, member);
    k_.gather(error_of(main_, n_groups_ - 1, i), indices, a, n, W_dec_, d_, d_, e);
    aux_.losses[i] = k_.sum_squares(e, d_);
    k_.pick_dots(e, indices, n, W_dec_, d_, d_, dots);
    const auto factor = static_cast<T>(2 * aux_.weight);
    for (Size x = 0; x < n; ++x) {
        const Size at = lists.places_of(i)[x];
        const T dz = factor * dots[x];
        lists.a[at] = factor * a[x];
        lists.dz[at] = dz;
        if (!gated_) continue;
        lists.dz[at] = memory_.gain[indices[x]] * dz;
        lists.extra[0][at] = dz;
        lists.extra[1][at] = 0;
        lists.extra[2][at] = dz * (a[x] - b_enc_[indices[x]]);  // exp(r_mag) y
    }
}

// 1 / sum of (e - mean)^2, 0 where that is 0; e as the last group has it.
template <class T>
double TrainingStep<T>::one_by_variance_of_errors() noexcept {
    const T* const last = error_of(main_, n_groups_ - 1, 0);
    if (n_groups_ > 1) sum_rows(last, row_sums_);
    const double found = variance(last, n_groups_ > 1 ? row_sums_ : main_.sums);
    return found > 0 ? 1 / found : 0;
}

template BadRow TrainingStep<float>::errors(SparseStepResult&);
template BadRow TrainingStep<double>::errors(SparseStepResult&);
template void TrainingStep<float>::auxiliary(SparseStepResult&);
template void TrainingStep<double>::auxiliary(SparseStepResult&);

}  // namespace sae_fast
