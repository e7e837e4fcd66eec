// A step from its beginning to its end, and its rows: converted, shifted, checked.
#include <cmath>

#include "training_step.hpp"

namespace sae_fast {

namespace {

template <class T>
T* parameter(const SparseTrainer<T>& trainer, Architecture architecture, std::size_t which) noexcept {
    return trainer.rule().architecture == architecture ? trainer.parameters()[which].values[0] : nullptr;
}

// Odd numbers of vectors: at powers of two, rows meet in few sets of the cache.
Size leading(Size n, Size lanes) noexcept {
    const Size vectors = (n + lanes - 1) / lanes;
    return lanes * (vectors + 1 - vectors % 2);
}

}  // namespace

template <class T>
TrainingStep<T>::TrainingStep(Trainer& trainer, const Samples& X, const SparseStep& options)
    : t_(trainer),
      memory_(*trainer.memory_),
      X_(X),
      o_(options),
      k_(kernels<T>()),
      d_(trainer.n_features_),
      h_(trainer.n_latents_),
      n_(X.n_samples),
      n_strips_((n_ + kRows - 1) / kRows),
      n_groups_(static_cast<Size>(trainer.rule_.groups.size())),
      split_(h_, k_.lanes),
      top_(trainer.rule_.architecture == Architecture::topk),
      jump_(trainer.rule_.architecture == Architecture::jumprelu),
      gated_(trainer.rule_.architecture == Architecture::gated),
      l1_(options.l1 > 0 && !jump_ && !gated_),
      n_extra_(gated_         ? 3
               : jump_ || l1_ ? 1
                              : 0),
      W_enc_(trainer.parameters_[0].values[0]),
      b_enc_(trainer.parameters_[1].values[0]),
      W_dec_(trainer.parameters_[2].values[0]),
      b_dec_(trainer.parameters_[3].values[0]),
      theta_(parameter(trainer, Architecture::jumprelu, 4)),
      b_gate_(parameter(trainer, Architecture::gated, 4)),
      r_mag_(parameter(trainer, Architecture::gated, 5)),
      n_members_(team_size(options.n_threads, static_cast<double>(n_) * static_cast<double>(d_ * h_))),
      ld_(leading(d_, k_.lanes)) {
    Arena count;
    lay_out_rows(count);
    Arena arena(memory_.rows.reserve(count.used()));
    lay_out_rows(arena);
}

template <class T>
void TrainingStep<T>::lay_out_rows(Arena& arena) {
    const auto part = [&](Lists& lists, Size n_groups) {
        return Reconstruction<T>{&lists,
                                 n_groups,
                                 arena.take<T>(n_groups * n_ * ld_),
                                 arena.take<double>(n_groups > 0 ? n_strips_ * d_ : 0),
                                 arena.take<double>(n_groups > 0 ? n_ : 0),
                                 0};
    };
    rows_ = arena.take<T>(n_ * ld_);
    mean_ = arena.take<T>(d_);
    row_sums_ = arena.take<double>(n_strips_ * d_);
    means_ = arena.take<double>(d_);
    squares_ = arena.take<double>(n_);
    gate_losses_ = arena.take<double>(gated_ ? n_ : 0);
    main_ = part(memory_.main, n_groups_);
    multi_ = part(memory_.multi, o_.multi_k > 0 ? n_groups_ : 0);
    aux_ = part(memory_.aux, o_.aux_k > 0 ? 1 : 0);
}

template <class T>
void TrainingStep<T>::lay_out_scratch() {
    const Size longest = std::max({memory_.main.capacity, o_.multi_k > 0 ? memory_.multi.capacity : 0, o_.aux_k});
    longest_ = (longest + 15) / 16 * 16;
    const Size n_gradients = clips() ? h_ : n_members_;
    const auto lay_out = [&](Arena& arena) {
        dots_ = arena.take<T>(n_members_ * longest_);
        acts_ = arena.take<T>(n_members_ * longest_);
        gate_dots_ = arena.take<T>(gated_ ? n_members_ * longest_ : 0);
        gate_acts_ = arena.take<T>(gated_ ? n_members_ * longest_ : 0);
        gate_errors_ = arena.take<T>(gated_ ? n_members_ * ld_ : 0);
        g_dec_ = arena.take<T>(n_gradients * ld_);
        g_enc_ = arena.take<T>(n_gradients * ld_);
        for (T*& vector : vectors_) vector = arena.take<T>(h_);
        g_b_dec_ = arena.take<T>(d_);
        panel_sums_ = arena.take<T>(split_.count() * d_);
        lengths_ = arena.take<T>(h_);
        norms_ = arena.take<double>(h_);
        penalties_ = arena.take<double>(h_);
    };
    Arena count;
    lay_out(count);
    Arena arena(memory_.scratch.reserve(count.used()));
    lay_out(arena);
}

template <class T>
SparseStepResult TrainingStep<T>::run() {
    SparseStepResult result;
    result.bad = read();
    if (result.bad.row >= 0) return result;
    result.variance = variance(rows_, row_sums_);
    result.bad = encode();
    if (result.bad.row >= 0 || interrupted()) return result;
    memory_.main.sort(h_, n_extra_);
    if (o_.multi_k > 0) memory_.multi.sort(h_, 0);
    scale_ = o_.loss_normalized ? (result.variance > 0 ? 1 / result.variance : 0) : 1 / static_cast<double>(n_);
    main_.weight = scale_ / static_cast<double>(n_groups_);
    multi_.weight = o_.multi_weight * main_.weight;
    lay_out_scratch();
    result.bad = errors(result);
    if (result.bad.row >= 0) return result;
    auxiliary(result);
    if (result.bad.row >= 0 || interrupted()) return result;
    update(result);
    return result;
}

template <class T>
BadRow TrainingStep<T>::read() noexcept {
    Worst worst;
    const auto factor = static_cast<T>(1 / o_.unit);
    each_row([&](int, Size i) {
        T* const row = rows_ + i * ld_;
        const T* from = plain_rows<T>(X_, i).data;
        if (from == nullptr) {
            read_sample(X_, i, row);
            from = row;
        }
        if (factor != T(1)) {
            k_.scale(from, factor, d_, row);
            from = row;
        }
        const bool tied = t_.rule_.tied_b_dec;
        if (!k_.shift(from, tied ? b_dec_ : nullptr, d_, tied ? row : nullptr)) worst.note(i, true);
        if (!tied && from != row) std::copy_n(from, d_, row);
    });
    sum_rows(rows_, row_sums_);
    return worst.found();
}

template <class T>
void TrainingStep<T>::sum_rows(const T* rows, double* sums) noexcept {
    each_strip([&](int, Size s) {
        double* const total = sums + s * d_;
        std::fill(total, total + d_, 0.0);
        k_.add_rows(rows + s * kRows * ld_, ld_, end_of(s) - s * kRows, d_, total);
    });
}

// Sum of (row - mean)^2, from sums of columns by strip; what the rounding of the mean adds is taken away.
template <class T>
double TrainingStep<T>::variance(const T* rows, const double* sums) noexcept {
    std::fill(means_, means_ + d_, 0.0);
    for (Size s = 0; s < n_strips_; ++s)
        for (Size c = 0; c < d_; ++c) means_[c] += sums[s * d_ + c];
    double rounding = 0;
    for (Size c = 0; c < d_; ++c) {
        means_[c] /= static_cast<double>(n_);
        mean_[c] = static_cast<T>(means_[c]);
        const double off = means_[c] - static_cast<double>(mean_[c]);
        rounding += off * off;
    }
    each_row([&](int, Size i) { squares_[i] = k_.squared_distance(rows + i * ld_, mean_, d_); });
    return std::max(sum_of_rows(squares_) - static_cast<double>(n_) * rounding, 0.0);
}

template TrainingStep<float>::TrainingStep(SparseTrainer<float>&, const Samples&, const SparseStep&);
template TrainingStep<double>::TrainingStep(SparseTrainer<double>&, const Samples&, const SparseStep&);
template SparseStepResult TrainingStep<float>::run();
template SparseStepResult TrainingStep<double>::run();
template void TrainingStep<float>::sum_rows(const float*, double*) noexcept;
template void TrainingStep<double>::sum_rows(const double*, double*) noexcept;
template double TrainingStep<float>::variance(const float*, const double*) noexcept;
template double TrainingStep<double>::variance(const double*, const double*) noexcept;

}  // namespace sae_fast
