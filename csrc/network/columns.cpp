// With samples as rows, every product needs the weights as a packed right operand: copies of all of them, some
// transposed. Of a few samples that is a good part of the work. With samples as columns the weights are left operands
// and read where they lie:
//   z_l^T = W_l a_{l-1}^T        delta_l^T = W_{l+1}^T delta_{l+1}^T        grad W_l = delta_l^T a_{l-1}
// and only samples and activations, which are small, are transposed. A row of a matrix is then a unit, which its owner
// takes from product to mean, penalty and gradient. The phases, each followed by a barrier:
//   pack      X^T, and targets transposed
//   hidden    for each hidden layer: z, means and penalty, activations of this member's units
//   output    z, delta, bias gradient of this member's output units (softmax: deltas of its samples, after a barrier);
//             its share of the activations transposed
//   backward  for each hidden layer: delta of its units
//   finish    weight gradients of its units
// Panels are cut along the samples; their number is raised to whole vectors, with columns of weight 0. A layer's input
// is the right operand of its gradient as rows of whole vectors, which samples may be as they lie.
// One class, so long because the phases share its state.
#include <algorithm>
#include <limits>
#include <new>

#include "evaluation.hpp"
#include "kernels/kernel_table.hpp"
#include "machine/machine.hpp"
#include "machine/team.hpp"
#include "penalty.hpp"

namespace sae_fast {

namespace {

constexpr Size kRows = 64;    // rows that stay in cache from product to what is made of it
constexpr Size kDepth = 256;  // rows of one partial sum of a delta

// A member owns whole blocks of units.
Size blocks_of(Size units) noexcept { return (units + kUnitBlock - 1) / kUnitBlock; }

constexpr Panels kAllOfThem{0, std::numeric_limits<Size>::max()};

constexpr Size whole_vectors(Size n, Size lanes) noexcept { return (n + lanes - 1) / lanes * lanes; }

/// Memory of one layer. Matrices are in panels of samples with n_out rows.
template <class T>
struct ColumnLayer {
    Size n_in, n_out;
    T *stored, *a;  // hidden layers
    T* rows;        // hidden layers: activations as rows of samples, `ld` apart
    Size ld;
    T* delta;                           // the last layer's takes its pre-activations first
    T* slope;                           // hidden layers: beta times the derivative of KL
    Mean* mean;                         // (n_out,), hidden layers
    double* divergence;                 // (n_out,), hidden layers
    double *squares, *activations;      // sums of squares of W, and of penalties on activations, by blocks of units
    double *sum_s, *sum_c, *sum_delta;  // by units

    ColumnLayer(Arena& arena, const Layer<const T>& layer, Size m, Size lanes, bool hidden) noexcept
        : n_in(layer.n_in), n_out(layer.n_out), ld(whole_vectors(n_out, lanes)) {
        const Size n = n_out;
        rows = hidden ? arena.take<T>(m * ld) : nullptr;
        stored = hidden ? arena.take<T>(n * m) : nullptr;
        a = hidden ? arena.take<T>(n * m) : nullptr;
        delta = arena.take<T>(n * m);
        slope = arena.take<T>(n);
        mean = arena.take<Mean>(n);
        divergence = arena.take<double>(n);
        squares = arena.take<double>(blocks_of(n));
        activations = arena.take<double>(blocks_of(n));
        sum_s = arena.take<double>(n);
        sum_c = arena.take<double>(n);
        sum_delta = arena.take<double>(n);
    }
};

/// Samples, or targets, and where they go transposed.
template <class T>
struct ColumnInput {
    const Samples* samples = nullptr;
    T* converted = nullptr;   // (n_samples, ld), where they cannot be read as they lie
    const T* rows = nullptr;  // ld apart
    Size ld = 0;
    T* transposed = nullptr;  // in panels of samples, n_features rows

    ColumnInput() = default;
    /// m: padded samples; whole: of a row, whole vectors will be read.
    ColumnInput(Arena& arena, const Samples& given, Size m, Size lanes, bool whole) noexcept : samples(&given) {
        const Left<T> plain = plain_rows<T>(given, 0);
        const Size padded = whole_vectors(given.n_features, lanes);
        const bool in_place = plain.ld > 0 && (!whole || padded == given.n_features);
        if (!in_place) converted = arena.take<T>(given.n_samples * padded);
        rows = in_place ? plain.data : converted;
        ld = in_place ? plain.ld : padded;
        transposed = arena.take<T>(given.n_features * m);
    }
};

template <class T>
struct ColumnScratch {
    PanelSplit samples;
    ColumnLayer<T>* layers;  // (n_layers,)
    ColumnInput<T> X, target;
    T* weight;       // (padded samples,) with mean 1 over the samples
    Size* labels;    // (padded samples,), softmax
    double* losses;  // by blocks of output units; softmax: by panels of samples
    T* buffers;      // (n_threads, n_features)

    ColumnScratch(Arena& arena, const Problem<T>& problem, Lanes lanes, int n_threads) noexcept
        : samples(PanelSplit::of_samples(problem.X.n_samples, lanes, kernels<T>().sample_vectors)) {
        const Network<const T>& network = problem.network;
        const Size m = samples.padded();
        layers = arena.take<ColumnLayer<T>>(network.n_layers);
        for (Size l = 0; l < network.n_layers; ++l) {
            const ColumnLayer<T> layer(arena, network.layers[l], m, lanes, l + 1 < network.n_layers);
            if (layers != nullptr) new (layers + l) ColumnLayer<T>(layer);
        }
        const bool softmax = facts(network.loss).by_row;
        X = ColumnInput<T>(arena, problem.X, m, lanes, true);
        if (!softmax && problem.target.data != nullptr) target = ColumnInput<T>(arena, problem.target, m, lanes, false);
        weight = arena.take<T>(m);
        labels = softmax ? arena.take<Size>(m) : nullptr;
        losses = arena.take<double>(softmax ? samples.count() : blocks_of(network.layers[network.n_layers - 1].n_out));
        buffers = arena.take<T>(n_threads * problem.X.n_features);
    }
};

template <class T>
class Columns {
public:
    Columns(const Problem<T>& problem, const Results<T>& results, const ColumnScratch<T>& scratch) noexcept
        : problem_(problem),
          network_(problem.network),
          results_(results),
          scratch_(scratch),
          samples_(scratch.samples),
          layers_(scratch.layers),
          k_(kernels<T>()),
          last_(problem.network.n_layers - 1),
          m_(static_cast<double>(problem.X.n_samples)) {}

    void run(Team team) const noexcept {
        pack(team);
        team.barrier();
        for (Size l = 0; l < last_; ++l) {
            by_rows(team, l, [&](Size unit, Size n_rows) { hidden(team, l, unit, n_rows); });
            team.barrier();
        }
        by_rows(team, last_, [&](Size unit, Size n_rows) { output(unit, n_rows); });
        if (scratch_.labels != nullptr) softmax(team);
        if (results_.grad == nullptr) return;
        for (Size l = 0; l < last_; ++l) transpose_activations(team, l);
        for (Size l = last_ - 1; l >= 0; --l) {
            team.barrier();
            backward(team, l);
        }
        for (Size l = last_; l >= 0; --l)  // the caches hold the last weights
            by_rows(team, l, [&](Size unit, Size n_rows) { gradient(l, unit, n_rows); });
    }

    Cost cost() const noexcept {
        const Size n = scratch_.labels != nullptr ? samples_.count() : blocks_of(layers_[last_].n_out);
        return cost_of(network_, m_, {scratch_.losses, n}, [this](Size l) {
            const Size units = layers_[l].n_out;
            const Size n_blocks = blocks_of(units);
            return LayerTerms{
                {layers_[l].squares, n_blocks}, {layers_[l].divergence, units}, {layers_[l].activations, n_blocks}};
        });
    }

private:
    const Problem<T>& problem_;
    const Network<const T>& network_;
    const Results<T>& results_;
    const ColumnScratch<T>& scratch_;
    const PanelSplit& samples_;
    const ColumnLayer<T>* const layers_;
    const Kernels<T>& k_;
    const Size last_;
    const double m_;

    // This member's units of a layer: whole blocks.
    Range units(Team team, Size l) const noexcept {
        const Size n = layers_[l].n_out;
        const Range blocks = team.share(blocks_of(n));
        return {std::min(blocks.begin * kUnitBlock, n), std::min(blocks.end * kUnitBlock, n)};
    }
    template <class Item>
    void by_rows(Team team, Size l, Item item) const noexcept {
        const Range mine = units(team, l);
        for (Size u = mine.begin; u < mine.end; u += kRows) {
            if (team.stops(kRows, layers_[l].n_in, samples_.n)) return;
            item(u, std::min(kRows, mine.end - u));
        }
    }

    // Row `unit` of panel p of a matrix of n rows.
    T* at(T* panels, Size n, Size p, Size unit) const noexcept {
        return panels + samples_.offset(p) * n + unit * samples_.width(p);
    }
    // The same of one of a layer's.
    T* at(T* panels, const ColumnLayer<T>& layer, Size p, Size unit) const noexcept {
        return at(panels, layer.n_out, p, unit);
    }

    const T* weight_of(Size p) const noexcept { return scratch_.weight + samples_.offset(p); }
    LayerPenalty<T> penalty_of(Size l) const noexcept {
        return {problem_, results_, l, layers_[l], problem_.sample_weight == nullptr ? nullptr : scratch_.weight};
    }
    double z_of(Team team, Size l, Size i, Size j) const noexcept {
        T* row = scratch_.buffers + team.id * problem_.X.n_features;
        const Size p = samples_.panel_of(i);
        return pre_activation(problem_, l, i, j, row, [&](Size f) {
            return at(layers_[l - 1].stored, layers_[l - 1], p, f)[i - samples_.offset(p)];
        });
    }

    void pack(Team team) const noexcept {
        const Size m = problem_.X.n_samples;
        convert(team, scratch_.X);
        if (scratch_.target.samples != nullptr) convert(team, scratch_.target);
        if (scratch_.X.converted != nullptr || scratch_.target.converted != nullptr) team.barrier();
        transpose(team, scratch_.X);
        if (scratch_.target.samples != nullptr) transpose(team, scratch_.target);
        if (team.id > 0) return;
        if (problem_.sample_weight == nullptr)
            for (Size i = 0; i < samples_.padded(); ++i) scratch_.weight[i] = i < m ? T(1) : T(0);
        if (scratch_.labels != nullptr)
            for (Size i = 0; i < samples_.padded(); ++i)
                scratch_.labels[i] = i >= m ? 0 : problem_.labels[problem_.X.rows == nullptr ? i : problem_.X.rows[i]];
    }

    void convert(Team team, const ColumnInput<T>& input) const noexcept {
        if (input.converted == nullptr) return;
        const Range mine = team.share(samples_.n);
        for (Size i = mine.begin; i < mine.end; ++i) {
            T* row = input.converted + i * input.ld;
            read_sample(*input.samples, i, row);
            std::fill(row + input.samples->n_features, row + input.ld, T(0));
        }
    }

    void transpose(Team team, const ColumnInput<T>& input) const noexcept {
        const Size n = input.samples->n_features;
        const Range mine = team.share((n + samples_.lanes - 1) / samples_.lanes);
        const Range features{mine.begin * samples_.lanes, std::min(mine.end * samples_.lanes, n)};
        if (features.begin >= features.end) return;
        for (Size p = 0; p < samples_.count(); ++p)
            k_.transpose_rows(input.rows + samples_.offset(p) * input.ld + features.begin, input.ld, samples_.used(p),
                              features.end - features.begin, at(input.transposed, n, p, features.begin),
                              samples_.width(p));
    }

    // z = W a^T, rows `unit` ... of layer l, and the sums of squares of those rows of W.
    void product(Size l, Size unit, Size n_rows, T* z) const noexcept {
        const ColumnLayer<T>& layer = layers_[l];
        const T* W = network_.layers[l].W;
        const Size n_in = layer.n_in;
        T* right = l == 0 ? scratch_.X.transposed : layers_[l - 1].a;
        for (Size p = 0; p < samples_.count(); ++p) {
            Left<T> A{W, 0, unit, n_in};
            if (p == 0 && unit + 2 * n_rows <= layer.n_out) {
                A.coming = W + (unit + n_rows) * n_in;
                A.n_coming = n_rows * n_in;
            }
            k_.product(A, n_rows, n_in, kAllOfThem, at(right, n_in, p, 0), {samples_.vectors(p), 1, 1},
                       at(z, layer, p, unit));
        }
        if (network_.settings[l].penalty.weight_decay == 0) return;
        for (Size u = unit; u < unit + n_rows; u += kUnitBlock)
            layer.squares[u / kUnitBlock] =
                k_.sum_squares(W + u * n_in, std::min(kUnitBlock, unit + n_rows - u) * n_in);
    }

    void hidden(Team team, Size l, Size unit, Size n_rows) const noexcept {
        const ColumnLayer<T>& layer = layers_[l];
        const Unit f = network_.settings[l].unit;
        product(l, unit, n_rows, layer.stored);
        std::fill(layer.sum_s + unit, layer.sum_s + unit + n_rows, 0.0);
        std::fill(layer.sum_c + unit, layer.sum_c + unit + n_rows, 0.0);
        std::fill(layer.slope + unit, layer.slope + unit + n_rows, T(0));
        for (Size p = 0; p < samples_.count(); ++p) {
            T* a = at(layer.a, layer, p, unit);
            const Size width = samples_.width(p), used = samples_.used(p);
            k_.hidden_columns(f, at(layer.stored, layer, p, unit), a, n_rows, samples_.vectors(p),
                              network_.layers[l].b + unit, weight_of(p), layer.sum_s + unit, layer.sum_c + unit);
            // Columns of padding stay 0, whatever the bias: z of the next layer is then finite there where it is for
            // all samples.
            for (Size r = 0; r < n_rows && used < width; ++r)
                std::fill(a + r * width + used, a + (r + 1) * width, T(0));
        }
        if (network_.settings[l].penalty.on_activations()) activation_penalty(l, unit, n_rows);
        if (results_.unit_range != nullptr) unit_ranges(l, unit, n_rows);
        if (!has_mean(f)) return;
        const LayerPenalty<T> penalty = penalty_of(l);
        penalty.settle(unit, unit + n_rows, layer.sum_s, layer.sum_c,
                       [&](Size j, Size i) { return z_of(team, l, i, j); });
    }

    void activation_penalty(Size l, Size unit, Size n_rows) const noexcept {
        const ColumnLayer<T>& layer = layers_[l];
        for (Size u = unit; u < unit + n_rows; u += kUnitBlock) {
            double sum = 0;
            for (Size p = 0; p < samples_.count(); ++p)
                sum += k_.activation_penalty(network_.settings[l].penalty, at(layer.a, layer, p, u),
                                             std::min(kUnitBlock, unit + n_rows - u), samples_.vectors(p),
                                             samples_.width(p), nullptr, weight_of(p));
            layer.activations[u / kUnitBlock] = sum;
        }
    }

    void unit_ranges(Size l, Size unit, Size n_rows) const noexcept {
        double* to = results_.unit_range;
        for (Size k = 0; k < l; ++k) to += 2 * layers_[k].n_out;
        for (Size j = unit; j < unit + n_rows; ++j) {
            ActivationRange range;
            for (Size i = 0; i < problem_.X.n_samples; ++i) {
                const Size p = samples_.panel_of(i);
                range.add(static_cast<double>(at(layers_[l].a, layers_[l], p, j)[i - samples_.offset(p)]));
            }
            range.store(to + 2 * j);
        }
    }

    void output(Size unit, Size n_rows) const noexcept {
        const ColumnLayer<T>& layer = layers_[last_];
        product(last_, unit, n_rows, layer.delta);
        if (scratch_.labels != nullptr) return;
        T* target = scratch_.target.samples != nullptr ? scratch_.target.transposed : scratch_.X.transposed;
        double* losses = scratch_.losses + unit / kUnitBlock;
        std::fill(layer.sum_delta + unit, layer.sum_delta + unit + n_rows, 0.0);
        std::fill(losses, losses + blocks_of(n_rows), 0.0);
        for (Size p = 0; p < samples_.count(); ++p)
            k_.output_columns(network_.settings[last_].unit, network_.loss, at(layer.delta, layer, p, unit),
                              at(target, layer, p, unit), n_rows, samples_.vectors(p), network_.layers[last_].b + unit,
                              weight_of(p), layer.sum_delta + unit, losses);
    }

    // Deltas of this member's samples from the logits of all classes, and then the sums of its own classes.
    void softmax(Team team) const noexcept {
        const ColumnLayer<T>& layer = layers_[last_];
        team.barrier();
        const Range mine = team.share(samples_.count());
        for (Size p = mine.begin; p < mine.end; ++p)
            scratch_.losses[p] =
                k_.softmax_columns(at(layer.delta, layer, p, 0), layer.n_out, samples_.vectors(p),
                                   network_.layers[last_].b, scratch_.labels + samples_.offset(p), weight_of(p));
        team.barrier();
        const Range classes = units(team, last_);
        for (Size j = classes.begin; j < classes.end; ++j) {
            layer.sum_delta[j] = 0;
            for (Size p = 0; p < samples_.count(); ++p) {
                const T* delta = at(layer.delta, layer, p, j);
                for (Size i = 0; i < samples_.width(p); ++i) layer.sum_delta[j] += static_cast<double>(delta[i]);
            }
        }
    }

    void transpose_activations(Team team, Size l) const noexcept {
        const ColumnLayer<T>& layer = layers_[l];
        const Range vectors = team.share(layer.ld / samples_.lanes);
        const Range mine{vectors.begin * samples_.lanes, std::min(vectors.end * samples_.lanes, layer.n_out)};
        if (mine.begin >= mine.end) return;
        for (Size p = 0; p < samples_.count(); ++p)
            k_.transpose_rows(at(layer.a, layer, p, mine.begin), samples_.width(p), mine.end - mine.begin,
                              samples_.used(p), layer.rows + samples_.offset(p) * layer.ld + mine.begin, layer.ld);
    }

    void backward(Team team, Size l) const noexcept {
        const ColumnLayer<T>& layer = layers_[l];
        const ColumnLayer<T>& next = layers_[l + 1];
        const Range mine = units(team, l);
        const Size n_rows = mine.end - mine.begin;
        const Size n_out = layer.n_out;
        if (n_rows == 0) return;
        std::fill(layer.sum_delta + mine.begin, layer.sum_delta + mine.end, 0.0);
        for (Size p = 0; p < samples_.count(); ++p) {
            T* delta = at(layer.delta, layer, p, mine.begin);
            for (Size k = 0; k < next.n_out; k += kDepth) {
                if (team.stops(kDepth, n_rows, samples_.width(p))) return;
                k_.outer(network_.layers[l + 1].W + k * n_out + mine.begin, n_out, n_rows, at(next.delta, next, p, k),
                         samples_.width(p), samples_.vectors(p), std::min(kDepth, next.n_out - k), delta, k > 0,
                         8 * n_out);
            }
            if (const Penalty& given = network_.settings[l].penalty; given.on_activations())
                k_.activation_penalty_delta(given, delta, at(layer.a, layer, p, mine.begin), n_rows,
                                            samples_.vectors(p), nullptr, weight_of(p));
            k_.hidden_delta_columns(network_.settings[l].unit, delta, at(layer.stored, layer, p, mine.begin), n_rows,
                                    samples_.vectors(p), layer.slope + mine.begin, weight_of(p),
                                    layer.sum_delta + mine.begin);
        }
        const LayerPenalty<T> penalty = penalty_of(l);
        if (!penalty.exists()) return;
        for (Size j = mine.begin; j < mine.end; ++j)
            if (penalty.is_tiny_unit(j)) penalty_of_tiny_unit(team, penalty, l, j);
    }

    void penalty_of_tiny_unit(Team team, const LayerPenalty<T>& penalty, Size l, Size j) const noexcept {
        for (Size i = 0; i < problem_.X.n_samples; ++i) {
            const Size p = samples_.panel_of(i);
            const T delta = penalty.tiny_delta(i, j, z_of(team, l, i, j));
            at(layers_[l].delta, layers_[l], p, j)[i - samples_.offset(p)] += delta;
            layers_[l].sum_delta[j] += static_cast<double>(delta);
        }
    }

    // Rows of a gradient: delta (rows in panels of samples) times the input of all samples.
    void gradient(Size l, Size unit, Size n_rows) const noexcept {
        const ColumnLayer<T>& layer = layers_[l];
        const bool first = l == 0;
        const T scale = static_cast<T>(1 / m_);
        const T decay = static_cast<T>(network_.settings[l].penalty.weight_decay);
        k_.gradient_rows({layer.delta, layer.n_out, unit, 0}, n_rows, samples_,
                         first ? scratch_.X.rows : layers_[l - 1].rows, first ? scratch_.X.ld : layers_[l - 1].ld,
                         layer.n_in, scale, decay, network_.layers[l].W + unit * layer.n_in,
                         results_.grad[l].W + unit * layer.n_in);
        for (Size j = unit; j < unit + n_rows; ++j) results_.grad[l].b[j] = static_cast<T>(layer.sum_delta[j] / m_);
    }
};

}  // namespace

// Measured. Packing weights takes as long as a few more samples, and the longer the further away they are; padding
// takes its share; a tile needs 8 chains of multiply-adds.
template <class T>
bool worth_columns(const Problem<T>& problem, const Results<T>& results) noexcept {
    if (results.deltas != nullptr) return false;
    const Size lanes = kernels<T>().lanes;
    const Size m = problem.X.n_samples;
    const Size padded = (m + lanes - 1) / lanes * lanes;
    Size narrowest = problem.X.n_features;
    Size n_bytes = 0;  // of the largest layer
    for (Size l = 0; l < problem.network.n_layers; ++l) {
        const Layer<const T>& layer = problem.network.layers[l];
        narrowest = std::min(narrowest, layer.n_in);
        n_bytes = std::max(n_bytes, layer.n_in * layer.n_out * static_cast<Size>(sizeof(T)));
    }
    // The widest layer that rows interleave so well that they are faster, 15 units of float32 with AVX2.
    const Size least = sizeof(T) == sizeof(float) ? std::min<Size>(2 * lanes, 16) : lanes;
    if (narrowest < least || padded / lanes * kernels<T>().tile_rows < 8) return false;
    if (n_bytes > 4 * kCache) return m <= 256 && padded <= 2 * m;
    return m <= (n_bytes > kCache ? 128 : 64) && padded + padded / 32 <= m + 4;
}

template <class T>
Cost evaluate_columns(const Problem<T>& problem, const Results<T>& results, int n_threads, Workspace& workspace) {
    const Lanes lanes = kernels<T>().lanes;
    const Size m = problem.X.n_samples;
    const int n = team_size(n_threads, multiply_adds(problem.network, m, results.grad != nullptr));
    Arena count;
    ColumnScratch<T>(count, problem, lanes, n);
    Arena arena(workspace.reserve(count.used()));
    const ColumnScratch<T> scratch(arena, problem, lanes, n);
    if (problem.sample_weight != nullptr) {
        scale_weights(problem.sample_weight, problem.X, scratch.weight);
        std::fill(scratch.weight + m, scratch.weight + scratch.samples.padded(), T(0));
    }
    const Columns<T> columns(problem, results, scratch);
    parallel(n, [&](Team team) { columns.run(team); });
    return columns.cost();
}

template bool worth_columns(const Problem<float>&, const Results<float>&) noexcept;
template bool worth_columns(const Problem<double>&, const Results<double>&) noexcept;
template Cost evaluate_columns(const Problem<float>&, const Results<float>&, int, Workspace&);
template Cost evaluate_columns(const Problem<double>&, const Results<double>&, int, Workspace&);

}  // namespace sae_fast
