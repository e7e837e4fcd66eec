// An evaluation whose samples come from a source, piece by piece. All sums are taken up where the last piece left them,
// in the order in which evaluate() has them: by strips in double, and by tiles of gradients, block by block and chunk
// by chunk. So the bits are those of the same samples in memory.
#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>

#include "evaluation.hpp"
#include "sae_fast/interrupt.hpp"
#include "schedule.hpp"

namespace sae_fast {

namespace {

constexpr Size kPieceBytes = Size(1) << 23;  // of samples: enough blocks for a team, few enough for a small machine

/// Sums over the strips of all pieces so far, of one layer.
struct LayerSums {
    double *s, *c, *delta;   // (n_out,): of activations and complements of hidden units, of deltas
    ActivationRange* range;  // (n_out,), hidden layers whose ranges are wanted
    double* activations;     // (1,): penalties on them
    LogMeans* logs;          // (n_out,), hidden layers with a penalty on means
    bool* tiny;              // (n_out,), the same: is the mean made of logs?

    LayerSums(Arena& arena, const Plan& plan, Size n_out, bool hidden, bool penalised) noexcept {
        s = arena.take<double>(n_out);
        c = arena.take<double>(n_out);
        delta = arena.take<double>(n_out);
        range = hidden && plan.ranges ? arena.take<ActivationRange>(n_out) : nullptr;
        activations = arena.take<double>(1);
        logs = penalised ? arena.take<LogMeans>(n_out) : nullptr;
        tiny = penalised ? arena.take<bool>(n_out) : nullptr;
    }
};

/// Rows of a source in pieces of any length, as T.
template <class T>
class Reader {
public:
    Reader(SampleSource& source, const Samples& all) : source_(source), all_(all) { source_.begin(); }
    ~Reader() { source_.end(); }
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    void read(Size n_rows, T* to) {
        for (Size r = 0; r < n_rows; ++r, ++at_, ++n_read_, to += all_.n_features) {
            if (at_ == now_.n_samples) fetch();
            read_sample(now_, at_, to);
        }
    }
    /// After the last one.
    void check_end() {
        if (at_ < now_.n_samples || source_.next().n_samples > 0) wrong("more");
    }

private:
    SampleSource& source_;
    const Samples all_;
    Samples now_;
    Size at_ = 0, n_read_ = 0;

    void fetch() {
        now_ = source_.next();
        at_ = 0;
        if (now_.n_samples < 1) wrong("no more");
        if (now_.n_features != all_.n_features) throw std::runtime_error("the source must keep its number of features");
    }
    [[noreturn]] void wrong(const char* what) const {
        throw std::runtime_error("the source must have " + std::to_string(all_.n_samples) +
                                 " samples in each pass, and has " + what + " after " + std::to_string(n_read_));
    }
};

/// The schedule of one piece, and what is carried from piece to piece.
template <class T>
class Pieces : public Schedule<T> {
public:
    /// `whole`: the problem, with all samples, and its plan; the others are those of the piece.
    Pieces(const Problem<T>& whole, const Plan& whole_plan, const Results<T>& results, const Problem<T>& piece,
           const Plan& plan, const Scratch<T>& scratch, LayerSums* sums, double* losses) noexcept
        : Schedule<T>(piece, results, plan, scratch),
          whole_(whole),
          whole_plan_(whole_plan),
          results_(results),
          sums_(sums),
          losses_(losses) {}

    void start(Team team) const noexcept {
        rows_.pack_weights(team);
        if (team.id > 0) return;
        *losses_ = 0;
        for (Size l = 0; l <= last_; ++l) {
            const LayerSums& sums = sums_[l];
            const Size n = scratch_.layers[l].out.n;
            for (double* of : {sums.s, sums.c, sums.delta}) std::fill(of, of + n, 0.0);
            if (sums.range != nullptr) std::fill(sums.range, sums.range + n, ActivationRange{});
            if (sums.logs != nullptr) std::fill(sums.logs, sums.logs + n, LogMeans{});
            *sums.activations = 0;
        }
    }

    /// Pass 1 of the piece.
    void forward(Team team) const noexcept {
        this->pass1(team);
        team.barrier();
        add_means(team);
    }

    /// After the pieces of pass 1. Are there means that have to be made of logarithms?
    bool means() const noexcept {
        bool any = false;
        for (Size l = 0; l < last_; ++l) {
            if (!has_mean(whole_.network.settings[l].unit)) continue;
            const LayerSums& sums = sums_[l];
            const LayerPenalty<T> penalty = penalty_of(l);
            for (Size j = 0; j < scratch_.layers[l].out.n; ++j) {
                const Mean mean = mean_of(sums.s[j] / n_samples(), sums.c[j] / n_samples());
                if (sums.tiny != nullptr) sums.tiny[j] = penalty.needs_logarithms(mean);
                if (sums.tiny != nullptr && sums.tiny[j])
                    any = true;
                else
                    penalty.settle(j, mean);
            }
        }
        return any;
    }

    /// The piece's share of those.
    void add_logarithms(Team team) const noexcept {
        for (Size b = 0; b < plan_.n_blocks; ++b) {
            const Range strips = plan_.strips_of_block(b);
            const Worker<T> w = this->worker(team, b % 2, strips.begin);
            this->hidden_layers(w, strips, true);
            for (Size l = 0; l < last_; ++l) {
                if (sums_[l].tiny == nullptr) continue;
                const LayerPenalty<T> penalty = penalty_of(l);
                share_items(team, {0, scratch_.layers[l].out.n}, [&](Size j) {
                    if (!sums_[l].tiny[j] || team.stops(plan_.block, scratch_.layers[l].in.n, 1)) return;
                    const Size end = std::min(strips.end * plan_.strip, plan_.m);
                    for (Size i = strips.begin * plan_.strip; i < end; ++i)
                        penalty.add_to(sums_[l].logs[j], rows_.z_of(w, l, i, j),
                                       scratch_.row_weight == nullptr ? T(1) : scratch_.row_weight[i]);
                });
            }
        }
    }
    void settle_logarithms() const noexcept {
        for (Size l = 0; l < last_; ++l)
            for (Size j = 0; sums_[l].tiny != nullptr && j < scratch_.layers[l].out.n; ++j)
                if (sums_[l].tiny[j]) penalty_of(l).settle(j, sums_[l].logs[j].value(n_samples()));
    }

    /// Pass 2 of the piece, whose first strip is `first` of all: output, deltas, and its share of the gradients.
    void backward(Team team, Size first) const noexcept {
        const Size chunk = whole_plan_.chunk;
        const bool later_chunk = chunk > 0 && first >= chunk;
        const bool continues = chunk > 0 ? first % chunk > 0 : first > 0;
        for (Size b = 0; b < plan_.n_blocks; ++b) {
            this->block(team, b);
            team.barrier();
            if (!plan_.gradient) continue;
            this->share_tiles(team, [&](Size l, Size p, Size q) {
                rows_.gradient_tile(l, b % 2, plan_.strips_of_block(b), p, q, this->tile(l, later_chunk ? 1 : 0, p, q),
                                    continues || b > 0);
            });
        }
        if (!whole_plan_.penalised && this->report_) add_means(team);
        add_sums(team);
        const Size end = first + plan_.n_strips;
        if (!plan_.gradient || !later_chunk || (end % chunk > 0 && end < whole_plan_.n_strips)) return;
        team.barrier();
        this->share_tiles(team, [&](Size l, Size p, Size q) {
            T* sum = this->tile(l, 0, p, q);
            const LayerScratch<T>& layer = scratch_.layers[l];
            const Size n = layer.narrow().used(q) * layer.wide().width(p);
            kernels<T>().add_scaled(sum, T(1), this->tile(l, 1, p, q), n, sum);
        });
    }

    /// What is wanted besides the cost; the plan has all samples again.
    void finish(Team team) const noexcept {
        double* to = results_.unit_range;
        for (Size l = 0; l <= last_; ++l) {
            const LayerSums& sums = sums_[l];
            share_items(team, {0, scratch_.layers[l].out.n}, [&](Size j) {
                if (sums.range != nullptr) sums.range[j].store(to + 2 * j);
                if (plan_.gradient) results_.grad[l].b[j] = static_cast<T>(sums.delta[j] / n_samples());
            });
            if (sums.range != nullptr) to += 2 * scratch_.layers[l].out.n;
        }
        if (plan_.gradient)
            this->share_tiles(team,
                              [&](Size l, Size p, Size q) { rows_.finish_tile(l, p, q, this->tile(l, 0, p, q)); });
    }

    Cost cost() const noexcept {
        return cost_of(whole_.network, n_samples(), {losses_, 1}, [this](Size l) {
            const LayerScratch<T>& layer = scratch_.layers[l];
            return LayerTerms{
                {layer.squares, layer.out.count()}, {layer.divergence, layer.out.n}, {sums_[l].activations, 1}};
        });
    }

private:
    using Schedule<T>::rows_;
    using Schedule<T>::plan_;
    using Schedule<T>::scratch_;
    using Schedule<T>::last_;

    const Problem<T>& whole_;
    const Plan& whole_plan_;
    const Results<T>& results_;
    LayerSums* const sums_;
    double* const losses_;

    double n_samples() const noexcept { return static_cast<double>(whole_plan_.m); }
    LayerPenalty<T> penalty_of(Size l) const noexcept { return {whole_, results_, l, scratch_.layers[l], nullptr}; }

    // sum (+)= column j of (n_strips, padded n_out).
    void add_column(const T* sums, Size l, Size j, double& sum) const noexcept {
        const Size n = scratch_.layers[l].out.padded();
        for (Size i = 0; i < plan_.n_strips; ++i) sum += static_cast<double>(sums[i * n + j]);
    }
    void add_means(Team team) const noexcept {
        for (Size l = 0; l < last_; ++l) {
            if (!has_mean(whole_.network.settings[l].unit)) continue;
            share_items(team, {0, scratch_.layers[l].out.n}, [&](Size j) {
                add_column(scratch_.layers[l].sum_s, l, j, sums_[l].s[j]);
                add_column(scratch_.layers[l].sum_c, l, j, sums_[l].c[j]);
            });
        }
    }
    void add_sums(Team team) const noexcept {
        for (Size l = 0; l <= last_; ++l) {
            const LayerScratch<T>& layer = scratch_.layers[l];
            const Size n = layer.out.padded();
            share_items(team, {0, layer.out.n}, [&](Size j) {
                if (plan_.gradient) add_column(layer.sum_delta, l, j, sums_[l].delta[j]);
                for (Size i = 0; sums_[l].range != nullptr && i < plan_.n_strips; ++i)
                    sums_[l].range[j].add(static_cast<double>(layer.low[i * n + j]),
                                          static_cast<double>(layer.high[i * n + j]));
            });
            if (team.id == 0 && l < last_ && whole_.network.settings[l].penalty.on_activations())
                *sums_[l].activations =
                    Terms{layer.activations, plan_.n_strips * layer.out.count()}.add_to(*sums_[l].activations);
        }
        if (team.id > 0) return;
        *losses_ = Terms{scratch_.losses, plan_.n_strips * scratch_.layers[last_].out.count()}.add_to(*losses_);
    }
};

/// The passes over the source.
template <class T>
class Passes {
public:
    Passes(const Problem<T>& problem, SampleSource& source, const Results<T>& results, int n_threads,
           Workspace& workspace)
        : problem_(problem), source_(source), results_(results), n_threads_(n_threads), workspace_(workspace) {
        const Size size = static_cast<Size>(sizeof(T));
        problem_.X.dtype = size == 4 ? DType::float32 : DType::float64;
        problem_.X.column_stride = size;
        problem_.X.row_stride = problem.X.n_features * size;
        problem_.X.data = &problem_;  // of nobody yet: a plan asks how it lies, not what it holds
    }

    Cost run() {
        const Plan whole(problem_, results_, n_threads_);
        return whole.at_once || worth_columns(problem_, results_) ? in_memory() : in_pieces(whole);
    }

private:
    Problem<T> problem_;
    SampleSource& source_;
    const Results<T>& results_;
    const int n_threads_;
    Workspace& workspace_;

    // So few samples that they are one block: all of them, and what an evaluation needs besides.
    Cost in_memory() {
        const std::unique_ptr<T[]> X(new T[static_cast<std::size_t>(problem_.X.n_samples * problem_.X.n_features)]);
        Reader<T> reader(source_, problem_.X);
        reader.read(problem_.X.n_samples, X.get());
        reader.check_end();
        problem_.X.data = X.get();
        return evaluate(problem_, results_, n_threads_, workspace_);
    }

    Cost in_pieces(const Plan& whole) {
        const Size longest = whole.rows_of_pieces(kPieceBytes, static_cast<Size>(sizeof(T)));
        Plan plan = whole.piece(longest);
        Problem<T> piece = problem_;
        piece.sample_weight = problem_.sample_weight;
        const auto lay_out = [&](Arena& arena) {
            struct Memory {
                Scratch<T> scratch;
                T* X;
                LayerSums* sums;
                double* losses;
            } memory{{arena, plan, piece}, nullptr, nullptr, nullptr};
            memory.X = arena.take<T>(longest * problem_.X.n_features);
            memory.sums = arena.take<LayerSums>(plan.n_layers);
            memory.losses = arena.take<double>(1);
            for (Size l = 0; l < plan.n_layers; ++l) {
                const bool hidden = l + 1 < plan.n_layers;
                const bool penalised = hidden && problem_.network.settings[l].penalty.beta > 0;
                const LayerSums sums(arena, plan, problem_.network.layers[l].n_out, hidden, penalised);
                if (memory.sums != nullptr) new (memory.sums + l) LayerSums(sums);
            }
            return memory;
        };
        Arena count;
        lay_out(count);
        Arena arena(workspace_.reserve(count.used()));
        const auto memory = lay_out(arena);
        piece.X.data = memory.X;
        const Pieces<T> pieces(problem_, whole, results_, piece, plan, memory.scratch, memory.sums, memory.losses);
        const double factor = problem_.sample_weight == nullptr ? 1 : weight_factor(problem_.sample_weight, problem_.X);

        // One pass: work(team, first strip) for each piece.
        const auto pass = [&](auto work) {
            Reader<T> reader(source_, problem_.X);
            for (Size begin = 0, rows = 0; begin < whole.m; begin += rows) {
                const Size chunk_rows = whole.chunk * whole.strip;
                const Size left = chunk_rows > 0 ? chunk_rows - begin % chunk_rows : whole.m;
                rows = std::min({longest, left, whole.m - begin});
                reader.read(rows, memory.X);
                plan = whole.piece(rows);
                piece.X.n_samples = rows;
                for (Size i = 0; problem_.sample_weight != nullptr && i < rows; ++i)
                    memory.scratch.row_weight[i] = static_cast<T>(problem_.sample_weight[begin + i] * factor);
                parallel(plan.n_threads, [&](Team team) { work(team, begin / whole.strip); });
                if (interrupted()) return;
            }
            reader.check_end();
        };

        parallel(plan.n_threads, [&](Team team) { pieces.start(team); });
        if (whole.penalised) {
            pass([&](Team team, Size) { pieces.forward(team); });
            if (!interrupted() && pieces.means()) {
                pass([&](Team team, Size) { pieces.add_logarithms(team); });
                pieces.settle_logarithms();
            }
            if (interrupted()) return {};
        }
        pass([&](Team team, Size first) { pieces.backward(team, first); });
        if (interrupted()) return {};
        if (!whole.penalised && results_.rho_hat != nullptr) pieces.means();
        plan.m = whole.m;
        parallel(plan.n_threads, [&](Team team) { pieces.finish(team); });
        return pieces.cost();
    }
};

}  // namespace

template <class T>
Cost evaluate(const Problem<T>& problem, SampleSource& source, const Results<T>& results, int n_threads,
              Workspace& workspace) {
    if (problem.target.data != nullptr || problem.labels != nullptr || problem.running != nullptr ||
        results.deltas != nullptr || facts(problem.network.loss).by_row)
        throw std::invalid_argument("samples of a source must be their own target, and have no deltas");
    return Passes<T>(problem, source, results, n_threads, workspace).run();
}

template Cost evaluate(const Problem<float>&, SampleSource&, const Results<float>&, int, Workspace&);
template Cost evaluate(const Problem<double>&, SampleSource&, const Results<double>&, int, Workspace&);

}  // namespace sae_fast
