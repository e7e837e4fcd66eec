// With samples as rows, every product needs the weights as a packed right operand: copies of all of them, some
// transposed. Of a few samples that is a good part of the work. With samples as columns the weights are left operands
// and read where they lie:
//   z_l^T = W_l a_{l-1}^T        delta_l^T = W_{l+1}^T delta_{l+1}^T        grad W_l = delta_l^T a_{l-1}
// and only samples and activations, which are small, are transposed. A row of a matrix is then a unit, which its owner
// takes from product to mean, penalty and gradient. The phases, each followed by a barrier:
//   pack      X^T, X, and targets transposed
//   hidden    for each hidden layer: z, means and penalty, activations of this member's units
//   output    z, delta, bias gradient of this member's output units (softmax: deltas of its samples, after a barrier);
//             its share of the activations transposed
//   backward  for each hidden layer: delta of its units
//   finish    weight gradients of its units
// Panels are cut along the samples; their number is raised to whole vectors, with columns of weight 0.
// One class, so long because the phases share its state.
#include <algorithm>
#include <new>

#include "evaluation.hpp"
#include "kernels/kernel_table.hpp"
#include "machine/machine.hpp"
#include "machine/team.hpp"
#include "penalty.hpp"

namespace sae_fast {

namespace {

constexpr Size kUnits = 8;    // rows that a member owns at least, and whose errors are summed together
constexpr Size kRows = 64;    // rows that stay in cache from product to what is made of it
constexpr Size kDepth = 256;  // rows of one partial sum of a delta

Size blocks_of(Size units) noexcept { return (units + kUnits - 1) / kUnits; }

// Panels of whole vectors: nothing of them is interleaved.
PanelShape plain(const PanelSplit& split, Size p) noexcept { return {split.vectors(p), 1, 1}; }

/// Memory of one layer. Matrices are in panels of samples with room for `capacity` rows.
template <class T>
struct ColumnLayer {
    PanelSplit in, out;
    Size capacity;
    T* right;                           // the input as right operand of padded samples rows
    T *stored, *a;                      // hidden layers
    T* delta;                           // the last layer's takes its pre-activations first
    T* slope;                           // hidden layers: beta times the derivative of KL
    Mean* mean;                         // (n_out,), hidden layers
    double* divergence;                 // (n_out,), hidden layers
    double *squares, *activations;      // sums of squares of W, and of penalties on activations, by blocks of units
    double *sum_s, *sum_c, *sum_delta;  // by units

    ColumnLayer(Arena& arena, const Layer<const T>& layer, Size m, Lanes lanes, bool hidden) noexcept
        : in(layer.n_in, lanes), out(layer.n_out, lanes), capacity(hidden ? out.padded() : out.n) {
        const Size n = capacity;
        right = arena.take<T>(m * in.padded());
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
    T* rows = nullptr;        // (padded samples, n_features): converted, where they cannot be read as they lie
    T* transposed = nullptr;  // in panels of samples, n_features rows

    ColumnInput() = default;
    ColumnInput(Arena& arena, const Samples& given, Size m, Size lanes) noexcept : samples(&given) {
        if (given.n_samples % lanes != 0 || plain_rows<T>(given, 0).ld == 0) rows = arena.take<T>(m * given.n_features);
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
    T* tiles;        // (n_threads, kRows, 3 vectors)
    T* buffers;      // (n_threads, n_features)

    ColumnScratch(Arena& arena, const Problem<T>& problem, Lanes lanes, int n_threads) noexcept
        : samples((problem.X.n_samples + lanes - 1) / lanes * lanes, lanes) {
        const Network<const T>& network = problem.network;
        const Size m = samples.n;
        layers = arena.take<ColumnLayer<T>>(network.n_layers);
        for (Size l = 0; l < network.n_layers; ++l) {
            const ColumnLayer<T> layer(arena, network.layers[l], m, lanes, l + 1 < network.n_layers);
            if (layers != nullptr) new (layers + l) ColumnLayer<T>(layer);
        }
        const bool softmax = facts(network.loss).by_row;
        X = ColumnInput<T>(arena, problem.X, m, lanes);
        if (!softmax && problem.target.data != nullptr) target = ColumnInput<T>(arena, problem.target, m, lanes);
        weight = arena.take<T>(m);
        labels = softmax ? arena.take<Size>(m) : nullptr;
        losses = arena.take<double>(softmax ? samples.count() : blocks_of(network.layers[network.n_layers - 1].n_out));
        tiles = arena.take<T>(n_threads * kRows * 3 * lanes);
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
        for (Size l = 0; l <= last_; ++l)
            by_rows(team, l, [&](Size unit, Size n_rows) { gradient(team, l, unit, n_rows); });
    }

    Cost cost() const noexcept {
        const Size n = scratch_.labels != nullptr ? samples_.count() : blocks_of(layers_[last_].out.n);
        return cost_of(network_, m_, {scratch_.losses, n}, [this](Size l) {
            const Size units = layers_[l].out.n;
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
        const Size n = layers_[l].out.n;
        const Range blocks = team.share(blocks_of(n));
        return {std::min(blocks.begin * kUnits, n), std::min(blocks.end * kUnits, n)};
    }
    template <class Item>
    void by_rows(Team team, Size l, Item item) const noexcept {
        const Range mine = units(team, l);
        for (Size u = mine.begin; u < mine.end; u += kRows) {
            if (team.stops(kRows, layers_[l].in.n, samples_.n)) return;
            item(u, std::min(kRows, mine.end - u));
        }
    }

    // Row `unit` of panel p of a matrix with room for `capacity` rows.
    T* at(T* panels, Size capacity, Size p, Size unit) const noexcept {
        return panels + samples_.offset(p) * capacity + unit * samples_.width(p);
    }

    const T* weight_of(Size p) const noexcept { return scratch_.weight + samples_.offset(p); }
    LayerPenalty<T> penalty_of(Size l) const noexcept {
        return {problem_, results_, l, layers_[l], problem_.sample_weight == nullptr ? nullptr : scratch_.weight};
    }
    double z_of(Team team, Size l, Size i, Size j) const noexcept {
        T* row = scratch_.buffers + team.id * problem_.X.n_features;
        const Size p = samples_.panel_of(i);
        return pre_activation(problem_, l, i, j, row, [&](Size f) {
            return at(layers_[l - 1].stored, layers_[l - 1].capacity, p, f)[i - samples_.offset(p)];
        });
    }

    void pack(Team team) const noexcept {
        const Size m = problem_.X.n_samples;
        convert(team, scratch_.X);
        if (scratch_.target.samples != nullptr) convert(team, scratch_.target);
        if (scratch_.X.rows != nullptr || scratch_.target.rows != nullptr) team.barrier();
        transpose(team, scratch_.X);
        if (scratch_.target.samples != nullptr) transpose(team, scratch_.target);
        const Range mine = team.share(samples_.n);
        const Left<T> X = rows_of(scratch_.X);
        k_.pack_rows(X.data + mine.begin * X.ld, X.ld, mine.end - mine.begin, problem_.X.n_features, layers_[0].right,
                     samples_.n, mine.begin);
        if (team.id > 0) return;
        if (problem_.sample_weight == nullptr)
            for (Size i = 0; i < samples_.n; ++i) scratch_.weight[i] = i < m ? T(1) : T(0);
        if (scratch_.labels != nullptr)
            for (Size i = 0; i < samples_.n; ++i)
                scratch_.labels[i] = i >= m ? 0 : problem_.labels[problem_.X.rows == nullptr ? i : problem_.X.rows[i]];
        for (Size l = 0; l < last_; ++l)  // rows beyond the hidden units, which are transposed too
            for (Size p = 0; p < samples_.count(); ++p)
                std::fill(at(layers_[l].a, layers_[l].capacity, p, layers_[l].out.n),
                          at(layers_[l].a, layers_[l].capacity, p, layers_[l].capacity), T(0));
    }

    Left<T> rows_of(const ColumnInput<T>& input) const noexcept {
        if (input.rows == nullptr) return plain_rows<T>(*input.samples, 0);
        return {input.rows, 0, 0, input.samples->n_features};
    }

    void convert(Team team, const ColumnInput<T>& input) const noexcept {
        if (input.rows == nullptr) return;
        const Size n = input.samples->n_features;
        const Range mine = team.share(samples_.n);
        for (Size i = mine.begin; i < mine.end; ++i) {
            T* row = input.rows + i * n;
            if (i < input.samples->n_samples)
                read_sample(*input.samples, i, row);
            else
                std::fill(row, row + n, T(0));
        }
    }

    void transpose(Team team, const ColumnInput<T>& input) const noexcept {
        const Size n = input.samples->n_features;
        const Left<T> rows = rows_of(input);
        const Range mine = team.share((n + samples_.lanes - 1) / samples_.lanes);
        const Range features{mine.begin * samples_.lanes, std::min(mine.end * samples_.lanes, n)};
        if (features.begin >= features.end) return;
        for (Size p = 0; p < samples_.count(); ++p)  // as the only panel, so that its rows may be a part of all
            k_.pack_transposed(rows.data + samples_.offset(p) * rows.ld + features.begin, rows.ld, samples_.width(p),
                               features.end - features.begin, at(input.transposed, n, p, features.begin), 0, 1);
    }

    // z = W a^T, rows `unit` ... of layer l, and the sums of squares of those rows of W.
    void product(Size l, Size unit, Size n_rows, T* z) const noexcept {
        const ColumnLayer<T>& layer = layers_[l];
        const T* W = network_.layers[l].W;
        const Size n_in = layer.in.n;
        T* right = l == 0 ? scratch_.X.transposed : layers_[l - 1].a;
        const Size capacity = l == 0 ? n_in : layers_[l - 1].capacity;
        for (Size p = 0; p < samples_.count(); ++p) {
            Left<T> A{W, 0, unit, n_in};
            if (p == 0 && unit + 2 * n_rows <= layer.out.n) {
                A.coming = W + (unit + n_rows) * n_in;
                A.n_coming = n_rows * n_in;
            }
            k_.product(A, n_rows, n_in, {0, layer.in.count()}, at(right, capacity, p, 0), plain(samples_, p),
                       at(z, layer.capacity, p, unit));
        }
        if (network_.settings[l].penalty.weight_decay == 0) return;
        for (Size u = unit; u < unit + n_rows; u += kUnits)
            layer.squares[u / kUnits] = k_.sum_squares(W + u * n_in, std::min(kUnits, unit + n_rows - u) * n_in);
    }

    void hidden(Team team, Size l, Size unit, Size n_rows) const noexcept {
        const ColumnLayer<T>& layer = layers_[l];
        const Unit f = network_.settings[l].unit;
        product(l, unit, n_rows, layer.stored);
        std::fill(layer.sum_s + unit, layer.sum_s + unit + n_rows, 0.0);
        std::fill(layer.sum_c + unit, layer.sum_c + unit + n_rows, 0.0);
        std::fill(layer.slope + unit, layer.slope + unit + n_rows, T(0));
        for (Size p = 0; p < samples_.count(); ++p) {
            T* z = at(layer.stored, layer.capacity, p, unit);
            T* a = at(layer.a, layer.capacity, p, unit);
            const Size width = samples_.width(p);
            k_.hidden_columns(f, z, n_rows, samples_.vectors(p), network_.layers[l].b + unit, weight_of(p),
                              layer.sum_s + unit, layer.sum_c + unit);
            k_.restore(f, z, a, n_rows, samples_.vectors(p));
            // Columns of padding stay 0, whatever the bias: z of the next layer is then finite there where it is for
            // all samples.
            const Size used = std::clamp<Size>(problem_.X.n_samples - samples_.offset(p), 0, width);
            for (Size r = 0; r < n_rows && used < width; ++r)
                std::fill(a + r * width + used, a + (r + 1) * width, T(0));
        }
        if (network_.settings[l].penalty.on_activations()) activation_penalty(l, unit, n_rows);
        if (results_.unit_range != nullptr) unit_ranges(l, unit, n_rows);
        if (!has_mean(f)) return;
        const LayerPenalty<T> penalty = penalty_of(l);
        for (Size j = unit; j < unit + n_rows; ++j)
            penalty.settle(j, layer.sum_s[j], layer.sum_c[j], [&](Size i) { return z_of(team, l, i, j); });
    }

    void activation_penalty(Size l, Size unit, Size n_rows) const noexcept {
        const ColumnLayer<T>& layer = layers_[l];
        for (Size u = unit; u < unit + n_rows; u += kUnits) {
            double sum = 0;
            for (Size p = 0; p < samples_.count(); ++p)
                sum += k_.activation_penalty(network_.settings[l].penalty, at(layer.a, layer.capacity, p, u),
                                             std::min(kUnits, unit + n_rows - u), samples_.vectors(p),
                                             samples_.width(p), nullptr, weight_of(p));
            layer.activations[u / kUnits] = sum;
        }
    }

    void unit_ranges(Size l, Size unit, Size n_rows) const noexcept {
        double* to = results_.unit_range;
        for (Size k = 0; k < l; ++k) to += 2 * layers_[k].out.n;
        for (Size j = unit; j < unit + n_rows; ++j) {
            ActivationRange range;
            for (Size i = 0; i < problem_.X.n_samples; ++i) {
                const Size p = samples_.panel_of(i);
                range.add(static_cast<double>(at(layers_[l].a, layers_[l].capacity, p, j)[i - samples_.offset(p)]));
            }
            range.store(to + 2 * j);
        }
    }

    void output(Size unit, Size n_rows) const noexcept {
        const ColumnLayer<T>& layer = layers_[last_];
        product(last_, unit, n_rows, layer.delta);
        if (scratch_.labels != nullptr) return;
        T* target = scratch_.target.samples != nullptr ? scratch_.target.transposed : scratch_.X.transposed;
        std::fill(layer.sum_delta + unit, layer.sum_delta + unit + n_rows, 0.0);
        for (Size u = unit; u < unit + n_rows; u += kUnits) {
            double loss = 0;
            for (Size p = 0; p < samples_.count(); ++p)
                loss += k_.output_columns(network_.settings[last_].unit, network_.loss,
                                          at(layer.delta, layer.capacity, p, u), at(target, layer.out.n, p, u),
                                          std::min(kUnits, unit + n_rows - u), samples_.vectors(p),
                                          network_.layers[last_].b + u, weight_of(p), layer.sum_delta + u);
            scratch_.losses[u / kUnits] = loss;
        }
    }

    // Deltas of this member's samples from the logits of all classes, and then the sums of its own classes.
    void softmax(Team team) const noexcept {
        const ColumnLayer<T>& layer = layers_[last_];
        team.barrier();
        const Range mine = team.share(samples_.count());
        for (Size p = mine.begin; p < mine.end; ++p)
            scratch_.losses[p] =
                k_.softmax_columns(at(layer.delta, layer.capacity, p, 0), layer.out.n, samples_.vectors(p),
                                   network_.layers[last_].b, scratch_.labels + samples_.offset(p), weight_of(p));
        team.barrier();
        const Range classes = units(team, last_);
        for (Size j = classes.begin; j < classes.end; ++j) {
            layer.sum_delta[j] = 0;
            for (Size p = 0; p < samples_.count(); ++p) {
                const T* delta = at(layer.delta, layer.capacity, p, j);
                for (Size i = 0; i < samples_.width(p); ++i) layer.sum_delta[j] += static_cast<double>(delta[i]);
            }
        }
    }

    void transpose_activations(Team team, Size l) const noexcept {
        const ColumnLayer<T>& layer = layers_[l];
        const PanelSplit& out = layer.out;
        const Range mine = team.share(out.count());
        for (Size q = mine.begin; q < mine.end; ++q)
            for (Size p = 0; p < samples_.count(); ++p)
                k_.pack_transposed(
                    at(layer.a, layer.capacity, p, out.offset(q)), samples_.width(p), out.width(q), samples_.width(p),
                    layers_[l + 1].right + out.offset(q) * samples_.n + samples_.offset(p) * out.width(q), 0, 1);
    }

    void backward(Team team, Size l) const noexcept {
        const ColumnLayer<T>& layer = layers_[l];
        const ColumnLayer<T>& next = layers_[l + 1];
        const Range mine = units(team, l);
        const Size n_rows = mine.end - mine.begin;
        const Size n_out = layer.out.n;
        if (n_rows == 0) return;
        std::fill(layer.sum_delta + mine.begin, layer.sum_delta + mine.end, 0.0);
        for (Size p = 0; p < samples_.count(); ++p) {
            T* delta = at(layer.delta, layer.capacity, p, mine.begin);
            for (Size k = 0; k < next.out.n; k += kDepth) {
                if (team.stops(kDepth, n_rows, samples_.width(p))) return;
                k_.outer(network_.layers[l + 1].W + k * n_out + mine.begin, n_out, n_rows,
                         at(next.delta, next.capacity, p, k), samples_.width(p), samples_.vectors(p),
                         std::min(kDepth, next.out.n - k), delta, k > 0, 8 * n_out);
            }
            if (const Penalty& given = network_.settings[l].penalty; given.on_activations())
                k_.activation_penalty_delta(given, delta, at(layer.a, layer.capacity, p, mine.begin), n_rows,
                                            samples_.vectors(p), nullptr, weight_of(p));
            k_.hidden_delta_columns(network_.settings[l].unit, delta, at(layer.stored, layer.capacity, p, mine.begin),
                                    n_rows, samples_.vectors(p), layer.slope + mine.begin, weight_of(p),
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
            at(layers_[l].delta, layers_[l].capacity, p, j)[i - samples_.offset(p)] += delta;
            layers_[l].sum_delta[j] += static_cast<double>(delta);
        }
    }

    // Rows of a gradient: delta (rows in panels of samples) times the input of all samples, finished panel by panel.
    void gradient(Team team, Size l, Size unit, Size n_rows) const noexcept {
        const ColumnLayer<T>& layer = layers_[l];
        const PanelSplit& in = layer.in;
        const T scale = static_cast<T>(1 / m_);
        const T decay = static_cast<T>(network_.settings[l].penalty.weight_decay);
        T* C = scratch_.tiles + team.id * kRows * 3 * samples_.lanes;
        const Left<T> A{layer.delta, layer.capacity, unit, 0};
        for (Size q = 0; q < in.count(); ++q) {
            k_.product(A, n_rows, samples_.n, {0, samples_.count()}, layer.right + in.offset(q) * samples_.n,
                       plain(in, q), C);
            const Size first = unit * in.n + in.offset(q);
            k_.finish_rows(C, n_rows, in.vectors(q), in.used(q), scale, decay, network_.layers[l].W + first,
                           results_.grad[l].W + first, in.n);
        }
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
        std::fill(scratch.weight + m, scratch.weight + scratch.samples.n, T(0));
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
