#include <algorithm>
#include <limits>

#include "kernels/kernel_table.hpp"
#include "training_step.hpp"

namespace sae_fast {

template <class T>
SparseTrainer<T>::SparseTrainer(const SparseRule& rule, Size n_features, Size n_latents)
    : ema_threshold(std::numeric_limits<double>::quiet_NaN()),
      samples_since_fired(static_cast<std::size_t>(n_latents)),
      rule_(rule),
      n_features_(n_features),
      n_latents_(n_latents),
      memory_(std::make_unique<TrainerMemory<T>>()) {
    const PanelSplit split(n_latents, kernels<T>().lanes);
    const Size n_weights = n_latents * n_features;
    const bool gated = rule.architecture == Architecture::gated;
    const auto lay_out = [&](Arena& arena) {
        parameters_.clear();
        const auto add = [&](const char* name, Size n, Size room) {
            parameters_.push_back({name, n, {arena.take<T>(room), arena.take<T>(room), arena.take<T>(room)}});
        };
        add("W_enc", n_weights, n_weights);
        add("b_enc", n_latents, split.padded());
        add("W_dec", n_weights, n_weights);
        add("b_dec", n_features, n_features);
        if (rule.architecture == Architecture::jumprelu) add("threshold", n_latents, n_latents);
        if (gated) add("b_gate", n_latents, n_latents);
        if (gated) add("r_mag", n_latents, n_latents);
        memory_->packed = arena.take<T>(split.right(n_features));
        memory_->zeros = arena.take<T>(split.padded());
        memory_->threshold = arena.take<T>(split.padded());
        memory_->gain = gated ? arena.take<T>(n_latents) : nullptr;
    };
    Arena count;
    lay_out(count);
    const std::size_t n_bytes = count.used();
    auto* const memory = static_cast<char*>(memory_->parameters.reserve(n_bytes));
    std::fill(memory, memory + n_bytes, char(0));
    Arena arena(memory);
    lay_out(arena);
}

template <class T>
SparseTrainer<T>::~SparseTrainer() = default;

template <class T>
void SparseTrainer<T>::changed() noexcept {
    const Kernels<T>& k = kernels<T>();
    k.pack_transposed(parameters_[0].values[0], n_features_, n_latents_, n_features_, memory_->packed, 0,
                      PanelSplit(n_latents_, k.lanes).count());
}

template <class T>
SparseStepResult SparseTrainer<T>::step(const Samples& X, const SparseStep& options) {
    return TrainingStep<T>(*this, X, options).run();
}

template class SparseTrainer<float>;
template class SparseTrainer<double>;

}  // namespace sae_fast
