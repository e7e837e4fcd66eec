// One step: rows, codes, errors row by row, gradients latent by latent. Every sum has an owner and an order of its own:
// rows are summed by strips, latents by their lists, so no bit depends on the number of threads. Each phase has a file.
#pragma once

#include <algorithm>

#include "encoding.hpp"
#include "training_memory.hpp"

namespace sae_fast {

/// A reconstruction by some latents, and what it weighs.
template <class T>
struct Reconstruction {
    ActiveLists<T>* lists;
    Size n_groups;
    T* errors;       // (n_groups, n_samples, ld): e of each group, then sums of those behind it
    double* sums;    // (n_strips, n_features): of the first group's
    double* losses;  // (n_samples,): sum over groups of e^2
    double weight;   // of them in the loss
};

template <class T>
class TrainingStep {
public:
    using Trainer = SparseTrainer<T>;
    using Lists = ActiveLists<T>;

    TrainingStep(Trainer& trainer, const Samples& X, const SparseStep& options);
    SparseStepResult run();

private:
    static constexpr Size kRows = 16;  // of a strip

    Trainer& t_;
    TrainerMemory<T>& memory_;
    const Samples& X_;
    const SparseStep& o_;
    const Kernels<T>& k_;
    const Size d_, h_, n_, n_strips_, n_groups_;
    const PanelSplit split_;
    const bool top_, jump_, gated_, l1_;
    const int n_extra_;
    T *const W_enc_, *const b_enc_, *const W_dec_, *const b_dec_;
    T *const theta_, *const b_gate_, *const r_mag_;  // null where there is none
    const int n_members_;
    const Size ld_;

    // By row.
    T* rows_ = nullptr;  // (n_samples, ld): what is encoded
    T* mean_ = nullptr;
    double *row_sums_ = nullptr, *means_ = nullptr, *squares_ = nullptr, *gate_losses_ = nullptr;
    Reconstruction<T> main_{}, multi_{}, aux_{};
    bool has_aux_ = false;
    double scale_ = 0;     // of the loss
    double smallest_ = 0;  // batchtopk: of what is kept
    // By member, `longest_` each.
    Size longest_ = 0;
    T *dots_ = nullptr, *acts_ = nullptr, *gate_dots_ = nullptr, *gate_acts_ = nullptr, *gate_errors_ = nullptr;
    // By latent.
    T *g_dec_ = nullptr, *g_enc_ = nullptr;  // (n_latents, n_features) where they are clipped, or else by member
    T* vectors_[3] = {};                     // of b_enc, and of threshold or b_gate and r_mag
    T *g_b_dec_ = nullptr, *panel_sums_ = nullptr, *lengths_ = nullptr;
    double *norms_ = nullptr, *penalties_ = nullptr;

    void lay_out_rows(Arena& arena);
    void lay_out_scratch();

    // training_rows.cpp
    BadRow read() noexcept;
    double variance(const T* rows, const double* sums) noexcept;
    void sum_rows(const T* rows, double* sums) noexcept;

    // training_codes.cpp
    typename SparseEncoder<T>::Parts layer() noexcept;
    template <class Accept>
    BadRow find(Lists& lists, const typename SparseEncoder<T>::Parts& parts, const Samples& X, Size k, Size at_first,
                Accept accept);
    BadRow encode();
    BadRow encode_multi();
    void choose(const Lists& from, Lists& to, Size k) noexcept;
    BadRow encode_batch();
    BadRow guess(typename SparseEncoder<T>::Parts parts);
    T kth_largest(const Lists& lists, Size n_found, Size k);
    void cut(Lists& lists, Size n_found, Size wanted);
    typename SparseEncoder<T>::Parts dead_layer();
    BadRow encode_dead();

    // training_errors.cpp
    BadRow errors(SparseStepResult& result);
    void errors_of_row(const Reconstruction<T>& part, int member, Size i) noexcept;
    void gates_of_row(int member, Size i) noexcept;
    Size codes_of_row(const Lists& lists, int member, Size i) noexcept;
    void keep(const Reconstruction<T>& part, int member, Size i) noexcept;
    void auxiliary(SparseStepResult& result);
    void aux_of_row(int member, Size i) noexcept;
    double one_by_variance_of_errors() noexcept;

    // training_update.cpp
    bool gradients(Size j, T* g_dec, T* g_enc, T* from_b_dec) noexcept;
    void gradients_of_vectors(Size j) noexcept;
    T along(Size j, const T* g) const noexcept;
    void move(Size j, const T* g_dec, const T* g_enc, T parallel_part, T factor, const AdamStep<T>& adam) noexcept;
    void gather_b_dec() noexcept;
    AdamStep<T> adam_step() const noexcept;
    void update(SparseStepResult& result) noexcept;
    void update_panel(int member, Size p, const AdamStep<T>& adam) noexcept;
    T clipped() const noexcept;
    void move_vectors(T factor, const AdamStep<T>& adam) noexcept;
    void count_fired() noexcept;

    bool clips() const noexcept { return o_.clip > 0; }
    Size end_of(Size strip) const noexcept { return std::min((strip + 1) * kRows, n_); }
    T* error_of(const Reconstruction<T>& part, Size group, Size i) const noexcept {
        return part.errors + (group * n_ + i) * ld_;
    }
    T* of_member(T* scratch, int member) const noexcept { return scratch + member * longest_; }
    Size group_of(Size j) const noexcept {
        Size g = 0;
        while (g < n_groups_ - 1 && j >= t_.rule_.groups[static_cast<std::size_t>(g)]) ++g;
        return g;
    }
    // a of latent j, from what its list holds.
    T code(Size j, T value) const noexcept {
        if (gated_) value = memory_.gain[j] * value + b_enc_[j];
        return value > (jump_ ? std::max(theta_[j], T(0)) : T(0)) ? value : T(0);
    }
    static double sum(const T* x, Size n) noexcept {
        double total = 0;
        for (Size i = 0; i < n; ++i) total += static_cast<double>(x[i]);
        return total;
    }
    double sum_of_rows(const double* numbers) const noexcept {
        double total = 0;
        for (Size i = 0; i < n_; ++i) total += numbers[i];
        return total;
    }
    Samples rows_as_samples(Size n_rows) const noexcept {
        constexpr Size size = static_cast<Size>(sizeof(T));
        return {rows_, size == 4 ? DType::float32 : DType::float64, n_rows, d_, ld_ * size, size, nullptr};
    }

    // f(member, strip) for all strips of rows.
    template <class F>
    void each_strip(F f) noexcept {
        parallel(n_members_, [&](Team team) {
            team.each(n_strips_, 4, [&](Range strips) {
                for (Size s = strips.begin; s < strips.end; ++s) f(team.id, s);
            });
        });
    }
    // f(member, row) for all rows.
    template <class F>
    void each_row(F f) noexcept {
        each_strip([&](int member, Size s) {
            for (Size i = s * kRows; i < end_of(s); ++i) f(member, i);
        });
    }
    // f(member, panel) for all panels of latents.
    template <class F>
    void each_panel(F f) noexcept {
        parallel(n_members_, [&](Team team) {
            team.each(split_.count(), 1, [&](Range panels) {
                for (Size p = panels.begin; p < panels.end; ++p) f(team.id, p);
            });
        });
    }
};

}  // namespace sae_fast
