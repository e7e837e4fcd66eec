// With samples as rows, every product needs the weights as a packed right operand: three copies of them, two
// transposed, and the gradient of W2 transposed back. Of a few samples that is a good part of the work. With samples as
// columns the weights are left operands and read where they lie:
//   z2^T = W1 X^T    z3^T = W2 a2^T    delta2^T = W2^T delta3^T    grad W1 = delta2^T X    grad W2 = delta3^T a2
// and only X and a2, which are small, are transposed. A row of a matrix is then a unit, which its owner takes from
// product to mean, penalty and gradient. The phases, each followed by a barrier:
//   pack      X^T, X
//   hidden    z2, means and penalty, a2 of this member's hidden units
//   visible   z3, delta3, bias gradients of this member's visible units; its share of a2 transposed
//   finish    delta2 and grad W1 of its hidden units; grad W2 of its visible units
// Panels are cut along the samples; their number is raised to whole vectors, with columns of weight 0.
#include "columns.hpp"

#include <algorithm>

#include "penalty.hpp"
#include "team.hpp"

namespace sae_fast {

namespace {

constexpr Size kUnits = 8;    // rows that a member owns at least, and whose errors are summed together
constexpr Size kRows = 64;    // rows that stay in cache from product to what is made of it
constexpr Size kDepth = 256;  // rows of one partial sum of delta2

Size blocks_of(Size units) noexcept { return (units + kUnits - 1) / kUnits; }

// Panels of whole vectors: nothing of them is folded.
PanelShape plain(const PanelSplit& split, Size p) noexcept { return {split.vectors(p), 1, 1}; }

template <class T>
struct ColumnScratch {
    PanelSplit samples, visible, hidden;
    T* rows = nullptr;  // (padded samples, n_visible): X, converted, where it cannot be read as it lies
    T *X_t, *X;         // right operands: of n_visible rows, of padded samples rows
    T *folded, *a2_t;   // (padded n_hidden, padded samples), in panels
    T* a2;              // a right operand of padded samples rows
    T *delta3_t, *delta2_t;
    T* weight;           // (padded samples,) with mean 1 over the samples
    T* slope;            // (n_hidden,)
    Mean* mean;          // (n_hidden,)
    double* divergence;  // (n_hidden,)
    double* squares;     // of errors, by blocks of visible units
    double* decay;       // sums of squares, by blocks of hidden units and then of visible ones
    double *sum_s, *sum_c, *sum_delta2, *sum_delta3;  // by units
    T* tiles;                                         // (n_threads, kRows, 3 vectors)
    T* buffers;                                       // (n_threads, n_visible)

    ColumnScratch(Arena& arena, const Problem<T>& problem, Size lanes, int n_threads, bool in_place)
        : samples((problem.X.n_samples + lanes - 1) / lanes * lanes, lanes),
          visible(problem.params.n_visible, lanes),
          hidden(problem.params.n_hidden, lanes) {
        const Size m = samples.n;
        const Size v = visible.n;
        const Size h = hidden.padded();
        if (!in_place) rows = arena.take<T>(m * v);
        X_t = arena.take<T>(v * m);
        X = arena.take<T>(m * visible.padded());
        folded = arena.take<T>(h * m);
        a2_t = arena.take<T>(h * m);
        a2 = arena.take<T>(m * h);
        delta3_t = arena.take<T>(v * m);
        delta2_t = arena.take<T>(h * m);
        weight = arena.take<T>(m);
        slope = arena.take<T>(h);
        mean = arena.take<Mean>(h);
        divergence = arena.take<double>(h);
        squares = arena.take<double>(blocks_of(v));
        decay = arena.take<double>(blocks_of(h) + blocks_of(v));
        sum_s = arena.take<double>(h);
        sum_c = arena.take<double>(h);
        sum_delta2 = arena.take<double>(h);
        sum_delta3 = arena.take<double>(v);
        tiles = arena.take<T>(n_threads * kRows * 3 * lanes);
        buffers = arena.take<T>(n_threads * v);
    }
};

template <class T>
class Columns {
public:
    Columns(const Problem<T>& problem, const Results<T>& results, const ColumnScratch<T>& scratch) noexcept
        : problem_(problem),
          params_(problem.params),
          results_(results),
          scratch_(scratch),
          penalty_(problem, problem.sample_weight == nullptr ? nullptr : scratch.weight,
                   {results.rho_hat, scratch.mean, scratch.divergence, scratch.slope}),
          k_(kernels<T>()),
          m_(static_cast<double>(problem.X.n_samples)) {}

    void run(Team team) noexcept {
        pack(team);
        team.barrier();
        const Range hidden = units(team, scratch_.hidden.n);
        for (Size u = hidden.begin; u < hidden.end && !stops(team, scratch_.visible); u += kRows)
            forward(team, u, std::min(kRows, hidden.end - u));
        team.barrier();
        const Range visible = units(team, scratch_.visible.n);
        for (Size u = visible.begin; u < visible.end && !stops(team, scratch_.hidden); u += kRows)
            output(u, std::min(kRows, visible.end - u));
        if (results_.grad == nullptr) return;
        transpose_activations(team);
        team.barrier();
        backward(team, hidden);
        gradient(team, hidden, scratch_.delta2_t, scratch_.hidden.padded(), scratch_.X, scratch_.visible, params_.W1,
                 results_.grad->W1);
        gradient(team, visible, scratch_.delta3_t, scratch_.visible.n, scratch_.a2, scratch_.hidden, params_.W2,
                 results_.grad->W2);
    }

    Cost cost() const noexcept {
        const Size h = scratch_.hidden.n;
        const Size v = scratch_.visible.n;
        return cost_of(problem_.penalty, m_, {scratch_.squares, blocks_of(v)},
                       {scratch_.decay, blocks_of(h) + blocks_of(v)}, {scratch_.divergence, h});
    }

private:
    const Problem<T>& problem_;
    const Params<const T>& params_;
    const Results<T>& results_;
    const ColumnScratch<T>& scratch_;
    const UnitPenalty<T> penalty_;
    const Kernels<T>& k_;
    const double m_;

    T* buffer(Team team) const noexcept { return scratch_.buffers + team.id * scratch_.visible.n; }

    // Before some rows of so many inputs.
    bool stops(Team team, const PanelSplit& in) const noexcept { return team.stops(kRows, in.n, scratch_.samples.n); }

    // This member's units: whole blocks.
    static Range units(Team team, Size n) noexcept {
        const Range blocks = team.share(blocks_of(n));
        return {std::min(blocks.begin * kUnits, n), std::min(blocks.end * kUnits, n)};
    }

    // Row `unit` of panel p of a matrix with room for `capacity` rows.
    T* at(T* panels, Size capacity, Size p, Size unit) const noexcept {
        return panels + scratch_.samples.offset(p) * capacity + unit * scratch_.samples.width(p);
    }

    void pack(Team team) noexcept {
        const PanelSplit& s = scratch_.samples;
        const Size v = scratch_.visible.n;
        const Size m = problem_.X.n_samples;
        const T* rows = scratch_.rows;
        Size ld = v;
        if (rows == nullptr) {
            const Left<T> lying = plain_rows<T>(problem_.X, 0);
            rows = lying.data;
            ld = lying.ld;
        } else {
            const Range mine = team.share(s.n);
            for (Size i = mine.begin; i < mine.end; ++i) {
                T* row = scratch_.rows + i * v;
                if (i < m)
                    read_sample(problem_.X, i, row);
                else
                    std::fill(row, row + v, T(0));
            }
            team.barrier();
        }
        const Size pieces = (v + s.lanes - 1) / s.lanes;
        const Range mine = team.share(pieces);
        const Range features{mine.begin * s.lanes, std::min(mine.end * s.lanes, v)};
        if (features.begin < features.end)
            for (Size p = 0; p < s.count(); ++p)  // as the only panel, so that its rows may be a part of all
                k_.pack_transposed(rows + s.offset(p) * ld + features.begin, ld, s.width(p),
                                   features.end - features.begin, at(scratch_.X_t, v, p, features.begin), 0, 1);
        const Range samples = team.share(s.n);
        k_.pack_rows(rows + samples.begin * ld, ld, samples.end - samples.begin, v, scratch_.X, s.n, samples.begin);
        if (team.id == 0 && problem_.sample_weight == nullptr)
            for (Size i = 0; i < s.n; ++i) scratch_.weight[i] = i < m ? T(1) : T(0);
        if (team.id == 0)  // rows beyond the hidden units, which are transposed too
            for (Size p = 0; p < s.count(); ++p)
                std::fill(at(scratch_.a2_t, scratch_.hidden.padded(), p, scratch_.hidden.n),
                          at(scratch_.a2_t, scratch_.hidden.padded(), p, scratch_.hidden.padded()), T(0));
    }

    // z = W right, rows `unit` ... of n_out. right: panels with room for right_capacity rows.
    void product(const T* W, Size n_out, Size n_in, Size unit, Size n_rows, T* right, Size right_capacity, T* z,
                 Size capacity) const noexcept {
        const PanelSplit& s = scratch_.samples;
        for (Size p = 0; p < s.count(); ++p) {
            Left<T> A{W, 0, unit, n_in};
            if (p == 0 && unit + 2 * n_rows <= n_out) {
                A.coming = W + (unit + n_rows) * n_in;
                A.n_coming = n_rows * n_in;
            }
            k_.product(A, n_rows, n_in, {0, PanelSplit(n_in, s.lanes).count()}, at(right, right_capacity, p, 0),
                       plain(s, p), at(z, capacity, p, unit));
        }
    }

    // Sums of squares of rows of W, by blocks of units.
    void sum_squares(const T* W, Size unit, Size n_rows, Size n_in, double* sums) const noexcept {
        if (problem_.penalty.weight_decay == 0) return;
        for (Size u = unit; u < unit + n_rows; u += kUnits)
            sums[u / kUnits] = k_.sum_squares(W + u * n_in, std::min(kUnits, unit + n_rows - u) * n_in);
    }

    void forward(Team team, Size unit, Size n_rows) noexcept {
        const PanelSplit& s = scratch_.samples;
        const Size capacity = scratch_.hidden.padded();
        product(params_.W1, scratch_.hidden.n, scratch_.visible.n, unit, n_rows, scratch_.X_t, scratch_.visible.n,
                scratch_.folded, capacity);
        sum_squares(params_.W1, unit, n_rows, scratch_.visible.n, scratch_.decay);
        std::fill(scratch_.sum_s + unit, scratch_.sum_s + unit + n_rows, 0.0);
        std::fill(scratch_.sum_c + unit, scratch_.sum_c + unit + n_rows, 0.0);
        for (Size p = 0; p < s.count(); ++p) {
            T* z = at(scratch_.folded, capacity, p, unit);
            T* a2 = at(scratch_.a2_t, capacity, p, unit);
            k_.hidden_columns(problem_.hidden, z, n_rows, s.vectors(p), params_.b1 + unit,
                              scratch_.weight + s.offset(p), scratch_.sum_s + unit, scratch_.sum_c + unit);
            k_.unfold(problem_.hidden, z, a2, n_rows, s.vectors(p));
            // Columns of padding stay 0, whatever the bias: z3 is then finite there where it is for all samples.
            const Size used = std::clamp<Size>(problem_.X.n_samples - s.offset(p), 0, s.width(p));
            for (Size r = 0; r < n_rows; ++r) std::fill(a2 + r * s.width(p) + used, a2 + (r + 1) * s.width(p), T(0));
        }
        std::fill(scratch_.slope + unit, scratch_.slope + unit + n_rows, T(0));
        for (Size j = unit; j < unit + n_rows; ++j)
            penalty_.settle(j, scratch_.sum_s[j] / m_, scratch_.sum_c[j] / m_, buffer(team));
    }

    void output(Size unit, Size n_rows) noexcept {
        const PanelSplit& s = scratch_.samples;
        const Size v = scratch_.visible.n;
        product(params_.W2, v, scratch_.hidden.n, unit, n_rows, scratch_.a2_t, scratch_.hidden.padded(),
                scratch_.delta3_t, v);
        sum_squares(params_.W2, unit, n_rows, scratch_.hidden.n, scratch_.decay + blocks_of(scratch_.hidden.n));
        std::fill(scratch_.sum_delta3 + unit, scratch_.sum_delta3 + unit + n_rows, 0.0);
        for (Size u = unit; u < unit + n_rows; u += kUnits) scratch_.squares[u / kUnits] = 0;
        for (Size p = 0; p < s.count(); ++p)
            for (Size u = unit; u < unit + n_rows; u += kUnits)
                scratch_.squares[u / kUnits] +=
                    k_.output_columns(problem_.output, at(scratch_.delta3_t, v, p, u), at(scratch_.X_t, v, p, u),
                                      std::min(kUnits, unit + n_rows - u), s.vectors(p), params_.b2 + u,
                                      scratch_.weight + s.offset(p), scratch_.sum_delta3 + u);
        if (results_.grad == nullptr) return;
        for (Size i = unit; i < unit + n_rows; ++i) results_.grad->b2[i] = static_cast<T>(scratch_.sum_delta3[i] / m_);
    }

    void transpose_activations(Team team) noexcept {
        const PanelSplit& s = scratch_.samples;
        const PanelSplit& h = scratch_.hidden;
        const Range mine = team.share(h.count());
        for (Size q = mine.begin; q < mine.end; ++q)
            for (Size p = 0; p < s.count(); ++p)
                k_.pack_transposed(at(scratch_.a2_t, h.padded(), p, h.offset(q)), s.width(p), h.width(q), s.width(p),
                                   scratch_.a2 + h.offset(q) * s.n + s.offset(p) * h.width(q), 0, 1);
    }

    void backward(Team team, Range hidden) noexcept {
        const PanelSplit& s = scratch_.samples;
        const Size v = scratch_.visible.n;
        const Size h = scratch_.hidden.n;
        const Size capacity = scratch_.hidden.padded();
        const Size n_rows = hidden.end - hidden.begin;
        if (n_rows == 0) return;
        std::fill(scratch_.sum_delta2 + hidden.begin, scratch_.sum_delta2 + hidden.end, 0.0);
        for (Size p = 0; p < s.count(); ++p) {
            T* delta2 = at(scratch_.delta2_t, capacity, p, hidden.begin);
            for (Size k = 0; k < v; k += kDepth) {
                if (team.stops(kDepth, n_rows, s.width(p))) return;
                k_.outer(params_.W2 + k * h + hidden.begin, h, n_rows, at(scratch_.delta3_t, v, p, k), s.width(p),
                         s.vectors(p), std::min(kDepth, v - k), delta2, k > 0, 8 * h);
            }
            k_.hidden_delta_columns(problem_.hidden, delta2, at(scratch_.folded, capacity, p, hidden.begin), n_rows,
                                    s.vectors(p), scratch_.slope + hidden.begin, scratch_.weight + s.offset(p),
                                    scratch_.sum_delta2 + hidden.begin);
        }
        for (Size j = hidden.begin; j < hidden.end; ++j) {
            if (penalty_.exists() && penalty_.is_tiny_unit(j)) penalty_of_tiny_unit(j, buffer(team));
            results_.grad->b1[j] = static_cast<T>(scratch_.sum_delta2[j] / m_);
        }
    }

    void penalty_of_tiny_unit(Size j, T* row) noexcept {
        const PanelSplit& s = scratch_.samples;
        for (Size i = 0; i < problem_.X.n_samples; ++i) {
            const Size p = s.panel_of(i);
            const T delta = penalty_.tiny_delta(i, j, row);
            at(scratch_.delta2_t, scratch_.hidden.padded(), p, j)[i - s.offset(p)] += delta;
            scratch_.sum_delta2[j] += static_cast<double>(delta);
        }
    }

    // Rows of a gradient: delta (rows in panels of samples) times a right operand of all samples, finished panel by
    // panel.
    void gradient(Team team, Range units, const T* delta, Size capacity, const T* right, const PanelSplit& of,
                  const T* W, T* grad) noexcept {
        const PanelSplit& s = scratch_.samples;
        const T scale = static_cast<T>(1 / m_);
        const T decay = static_cast<T>(problem_.penalty.weight_decay);
        T* C = scratch_.tiles + team.id * kRows * 3 * s.lanes;
        for (Size u = units.begin; u < units.end; u += kRows) {
            if (stops(team, of)) return;
            const Size n_rows = std::min(kRows, units.end - u);
            for (Size q = 0; q < of.count(); ++q) {
                const Left<T> A{delta, capacity, u, 0};
                k_.product(A, n_rows, s.n, {0, s.count()}, right + of.offset(q) * s.n, plain(of, q), C);
                const Size first = u * of.n + of.offset(q);
                k_.finish_rows(C, n_rows, of.vectors(q), of.used(q), scale, decay, W + first, grad + first, of.n);
            }
        }
    }
};

}  // namespace

// Measured. Packing weights takes as long as a few more samples, and the longer the further away they are; padding
// takes its share; a tile needs 8 chains of multiply-adds.
template <class T>
bool worth_columns(const Problem<T>& problem, const Results<T>& results) noexcept {
    if (results.delta3 != nullptr || results.delta2 != nullptr) return false;
    const Size lanes = kernels<T>().lanes;
    const Size m = problem.X.n_samples;
    const Size v = problem.params.n_visible;
    const Size h = problem.params.n_hidden;
    const Size padded = (m + lanes - 1) / lanes * lanes;
    if (std::min(v, h) < 2 * lanes || padded / lanes * kernels<T>().tile_rows < 8) return false;
    const Size n_bytes = v * h * static_cast<Size>(sizeof(T));
    if (n_bytes > (Size(1) << 21)) return m <= 256 && padded <= 2 * m;
    return m <= (n_bytes > (Size(1) << 19) ? 128 : 64) && padded + padded / 32 <= m + 4;
}

template <class T>
Cost evaluate_columns(const Problem<T>& problem, const Results<T>& results, int n_threads, Workspace& workspace) {
    const Size lanes = kernels<T>().lanes;
    const Size m = problem.X.n_samples;
    const bool in_place = m % lanes == 0 && plain_rows<T>(problem.X, 0).ld > 0;
    Arena count;
    ColumnScratch<T>(count, problem, lanes, n_threads, in_place);
    Arena arena(workspace.reserve(count.used()));
    const ColumnScratch<T> scratch(arena, problem, lanes, n_threads, in_place);
    if (problem.sample_weight != nullptr) {
        scale_weights(problem.sample_weight, problem.X, scratch.weight);
        std::fill(scratch.weight + m, scratch.weight + scratch.samples.n, T(0));
    }
    Columns<T> columns(problem, results, scratch);
    parallel(n_threads, [&](Team team) { columns.run(team); });
    if (problem.running != nullptr) problem.running->started = true;
    return columns.cost();
}

template bool worth_columns(const Problem<float>&, const Results<float>&) noexcept;
template bool worth_columns(const Problem<double>&, const Results<double>&) noexcept;
template Cost evaluate_columns(const Problem<float>&, const Results<float>&, int, Workspace&);
template Cost evaluate_columns(const Problem<double>&, const Results<double>&, int, Workspace&);

}  // namespace sae_fast
