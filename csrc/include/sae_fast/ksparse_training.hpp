// Training of sparse codes, one minibatch at a time. Nothing has the size of samples times latents, or of samples times
// active latents times features: the encoder's product is chosen from in tiles, and all else touches active latents.
//
//   y = (x - b_dec) W_enc^T   z = y + b_enc   a: what the architecture keeps of z   e = a W_dec + b_dec - x
//   loss    scale sum e^2, over all samples and features: scale = 1 / n, or 1 / (sum (x - mean)^2) where normalised
//           of groups g of the first latents (Matryoshka, Bussmann et al. 2025): the mean over g of that of e_g
//   da_j  = 2 scale e . W_dec_j        dW_dec_j = 2 scale sum over samples of a_j e
//   dz    = da where a is kept         dW_enc_j = sum dz_j (x - b_dec),  db_enc = sum dz
//   db_dec = 2 scale sum e - sum_j db_enc_j W_enc_j
//   topk      + multi_weight times the same loss of the multi_k largest (Multi-TopK, Gao et al. 2024)
//   l1        + l1 / n sum a_j |W_dec_j|
//   jumprelu  + l0 / n sum [z_j > theta_j]; dtheta_j = -sum K((z_j - theta_j) / w) / w (theta_j da_j + l0 / n), K = 1
//             on (-1/2, 1/2) (Rajamanoharan et al., "Jumping ahead", 2024)
//   gated     z = exp(r_mag) y + b_enc, kept where g = y + b_gate > 0; the gates learn by l1 / n sum max(g, 0) + scale
//             sum (max(g, 0) W_dec + b_dec - x)^2, the decoder being a constant (Rajamanoharan et al., "Improving
//             dictionary learning with gated sparse autoencoders", 2024); l1 is of nothing else
//   AuxK      + aux_weight scale' sum (a' W_dec + e)^2, where e is a constant and a' the aux_k largest positive z of
//             latents that the last dead_after samples did not excite; scale' = 1 / n or 1 / (sum (e - mean)^2)
//             (Gao et al. 2024)
//
// Then the gradient of a decoder row loses what is parallel to the row, all gradients together are cut to a length,
// Adam moves every parameter, and decoder rows get length 1.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "sae_fast/ksparse.hpp"

namespace sae_fast {

enum class Architecture : int { topk = 0, batchtopk = 1, jumprelu = 2, relu = 3, gated = 4 };

struct SparseRule {
    Architecture architecture = Architecture::topk;
    std::vector<Size> groups;  // rising, the last one is n_latents
    bool unit_norm = true;
    bool project = true;
    bool tied_b_dec = true;  // is b_dec subtracted from what is encoded?
    double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
    double threshold_momentum = 0.99;  // batchtopk: of the running mean of the smallest number kept
};

struct SparseStep {
    double learning_rate = 0;
    double unit = 1;        // what samples are divided by first
    Size k = 0;             // topk: in [1, n_latents]; batchtopk: k n_samples are kept
    double l1 = 0, l0 = 0;  // l0: jumprelu
    double bandwidth = 1;   // > 0
    Size aux_k = 0;
    double aux_weight = 0;
    bool aux_normalized = true, loss_normalized = false;
    std::int64_t dead_after = 0;
    Size multi_k = 0;  // of topk, in [0, n_latents]; 0: there is none
    double multi_weight = 0;
    double clip = 0;  // 0: as long as they are
    int n_threads = 0;
};

struct SparseStepResult {
    double loss = 0, squared_error = 0, variance = 0, aux_loss = 0;  // aux_loss: without its weight
    Size n_active = 0, n_dead = 0;
    BadRow bad;  // then nothing was changed
};

template <class T>
struct TrainerMemory;
template <class T>
class TrainingStep;

template <class T>
class SparseTrainer {
public:
    /// A parameter and its two moments, n elements each.
    struct Parameter {
        const char* name;
        Size n;
        T* values[3];
    };

    /// All parameters and moments are 0: fill them, and call changed(). Throws std::bad_alloc.
    SparseTrainer(const SparseRule& rule, Size n_features, Size n_latents);
    ~SparseTrainer();

    /// W_enc, b_enc, W_dec, b_dec; then the threshold of jumprelu, or b_gate and r_mag of gated.
    const std::vector<Parameter>& parameters() const noexcept { return parameters_; }
    void changed() noexcept;

    /// A minibatch of at least one sample. Where the thread's Interrupt stops it, nothing was changed. Throws
    /// std::bad_alloc.
    SparseStepResult step(const Samples& X, const SparseStep& options);

    Size n_features() const noexcept { return n_features_; }
    Size n_latents() const noexcept { return n_latents_; }
    const SparseRule& rule() const noexcept { return rule_; }

    Size n_steps = 0;
    double ema_threshold;  // batchtopk; NaN before the first step
    std::vector<std::int64_t> samples_since_fired;

private:
    friend class TrainingStep<T>;
    SparseRule rule_;
    Size n_features_, n_latents_;
    std::vector<Parameter> parameters_;
    std::unique_ptr<TrainerMemory<T>> memory_;
};

}  // namespace sae_fast
