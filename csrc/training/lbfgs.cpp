#include "sae_fast/lbfgs.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "kernels/kernel_table.hpp"
#include "machine/team.hpp"
#include "sae_fast/interrupt.hpp"

namespace sae_fast {

namespace {

constexpr Size kChunk = 4096;  // elements of one partial sum

// Minimum of the cubic through two values and slopes (Nocedal and Wright, 3.59), kept off the ends of the interval.
double interpolate(double a, double fa, double da, double b, double fb, double db) noexcept {
    const double d1 = da + db - 3 * (fa - fb) / (a - b);
    const double square = d1 * d1 - da * db;
    const double low = std::min(a, b);
    const double high = std::max(a, b);
    double at = (a + b) / 2;
    if (square >= 0) {
        const double d2 = std::copysign(std::sqrt(square), b - a);
        at = b - (b - a) * (db + d2 - d1) / (db - da + 2 * d2);
    }
    const double margin = 0.1 * (high - low);
    if (!std::isfinite(at)) return (low + high) / 2;
    return std::clamp(at, low + margin, high - margin);
}

}  // namespace

template <class T>
Lbfgs<T>::Lbfgs(T* theta, std::unique_ptr<Objective<T>> objective, const LbfgsOptions& options, int n_threads)
    : theta_(theta),
      objective_(std::move(objective)),
      options_(options),
      n_threads_(n_threads),
      n_(objective_->n_params()) {
    const auto n = static_cast<std::size_t>(n_);
    const auto memory = static_cast<std::size_t>(options.memory);
    trial_.resize(n);
    gradient_.resize(n);
    trial_gradient_.resize(n);
    direction_.resize(n);
    pairs_.resize(2 * memory * n);
    sy_.resize(memory * memory);
    yy_.resize(memory * memory);
    sg_.resize(memory);
    yg_.resize(memory);
    alpha_.resize(memory);
    of_s_.resize(memory);
    partial_.resize((n / kChunk + 1) * 4 * std::max<std::size_t>(memory, 1));
    rho_hat_.resize(static_cast<std::size_t>(objective_->n_means()));
    trial_rho_hat_.resize(rho_hat_.size());
    if (options.unit_range) unit_range_.resize(2 * static_cast<std::size_t>(objective_->n_hidden_units()));
    trial_unit_range_.resize(unit_range_.size());
}

template <class T>
double Lbfgs<T>::dot(const T* a, const T* b) noexcept {
    const Kernels<T>& k = kernels<T>();
    double sum = 0;
    for (Size i = 0; i < n_; i += kChunk) sum += k.dot(a + i, b + i, std::min(kChunk, n_ - i));
    return sum;
}

template <class T>
LbfgsStep Lbfgs<T>::start() {
    std::copy(theta_, theta_ + n_, trial_.begin());
    std::fill(direction_.begin(), direction_.end(), T(0));
    const Point p = probe(0);
    value_ = p.value;
    gradient_.swap(trial_gradient_);
    rho_hat_.swap(trial_rho_hat_);
    unit_range_.swap(trial_unit_range_);
    step_.cost = trial_cost_;
    step_.gradient_max = 0;
    for (const T g : gradient_) step_.gradient_max = std::max(step_.gradient_max, std::fabs(static_cast<double>(g)));
    return step_;
}

// Cost, gradient and slope at theta + step * direction, left in trial_*.
template <class T>
typename Lbfgs<T>::Point Lbfgs<T>::probe(double step) {
    const Kernels<T>& k = kernels<T>();
    if (step != 0) {
        parallel(team_size(n_threads_, 4.0 * static_cast<double>(n_)), [&](Team team) {
            const Range chunks = team.share((n_ + kChunk - 1) / kChunk);
            for (Size c = chunks.begin; c < chunks.end; ++c) {
                const Size at = c * kChunk;
                k.add_scaled(theta_ + at, static_cast<T>(step), direction_.data() + at, std::min(kChunk, n_ - at),
                             trial_.data() + at);
            }
        });
    }
    trial_cost_ = objective_->evaluate(trial_.data(), trial_gradient_.data(), trial_rho_hat_.data(),
                                       options_.unit_range ? trial_unit_range_.data() : nullptr, n_threads_);
    ++step_.n_evaluations;
    search_left_ = interrupted() ? 0 : search_left_ - 1;
    return {step, trial_cost_.total(), step == 0 ? 0.0 : dot(trial_gradient_.data(), direction_.data())};
}

// The strong Wolfe conditions, or the approximate ones where J has stopped to tell the points apart.
template <class T>
bool Lbfgs<T>::accepts(const Point& p) const noexcept {
    const bool flat = std::fabs(p.slope) <= -options_.curvature * slope_;
    if (flat && p.value <= value_ + options_.decrease * p.step * slope_) return true;
    const double noise = (sizeof(T) == 4 ? 1e-6 : 1e-14) * std::fabs(value_);
    return flat && p.value <= value_ + noise && p.slope <= (2 * options_.decrease - 1) * slope_;
}

template <class T>
bool Lbfgs<T>::search(double first_step) {
    search_left_ = options_.max_evaluations;
    Point before{0, value_, slope_};
    double step = first_step;
    while (search_left_ > 0) {
        const Point p = probe(step);
        if (interrupted()) return false;
        if (!std::isfinite(p.value) || !std::isfinite(p.slope)) {
            step = before.step + (step - before.step) * 0.1;
            continue;
        }
        if (accepts(p)) return true;
        if (p.value > value_ + options_.decrease * p.step * slope_ || (before.step > 0 && p.value >= before.value))
            return zoom(before, p);
        if (p.slope >= 0) return zoom(p, before);
        step = std::clamp(interpolate(before.step, before.value, before.slope, p.step, p.value, p.slope), 2 * p.step,
                          10 * p.step);
        before = p;
    }
    return false;
}

// low: the better end of the bracket, high: the other.
template <class T>
bool Lbfgs<T>::zoom(Point low, Point high) {
    while (search_left_ > 0) {
        const double step = interpolate(low.step, low.value, low.slope, high.step, high.value, high.slope);
        const Point p = probe(step);
        if (interrupted()) return false;
        if (accepts(p)) return true;
        if (!(p.value <= value_ + options_.decrease * p.step * slope_) || p.value >= low.value) {
            high = p;
        } else {
            if (p.slope * (high.step - low.step) >= 0) high = low;
            low = p;
        }
        if (std::fabs(high.step - low.step) <= 1e-12 * std::max(high.step, low.step)) break;
    }
    if (low.step <= 0 || !(low.value < value_)) return false;
    // Out of evaluations inside the bracket: its better end still is a decrease.
    probe(low.step);
    return !interrupted();
}

// Stores the pair of the accepted step and all inner products with it and with the new gradient.
template <class T>
void Lbfgs<T>::remember() {
    const Kernels<T>& k = kernels<T>();
    const Size memory = options_.memory;
    if (n_pairs_ == memory) {
        oldest_ = (oldest_ + 1) % memory;
        --n_pairs_;
    }
    const Size newest = n_pairs_++;
    T* s_new = s(newest);
    T* y_new = y(newest);
    const Size n_chunks = (n_ + kChunk - 1) / kChunk;
    const Size n_dots = 4 * n_pairs_;
    const double work = 8.0 * static_cast<double>(n_) * static_cast<double>(n_pairs_);
    parallel(team_size(n_threads_, work), [&](Team team) {
        const Range chunks = team.share(n_chunks);
        for (Size c = chunks.begin; c < chunks.end; ++c) {
            const Size at = c * kChunk;
            const Size n = std::min(kChunk, n_ - at);
            const T* g = trial_gradient_.data() + at;
            k.add_scaled(trial_.data() + at, T(-1), theta_ + at, n, s_new + at);
            k.add_scaled(g, T(-1), gradient_.data() + at, n, y_new + at);
            std::copy(trial_.data() + at, trial_.data() + at + n, theta_ + at);
            double* sums = partial_.data() + c * n_dots;
            for (Size i = 0; i < n_pairs_; ++i, sums += 4) {
                sums[0] = k.dot(s(i) + at, y_new + at, n);
                sums[1] = k.dot(s(i) + at, g, n);
                sums[2] = k.dot(y(i) + at, y_new + at, n);
                sums[3] = k.dot(y(i) + at, g, n);
            }
        }
    });
    gradient_.swap(trial_gradient_);
    for (Size i = 0; i < n_pairs_; ++i) {
        double sums[4] = {};
        for (Size c = 0; c < n_chunks; ++c)
            for (Size j = 0; j < 4; ++j) sums[j] += partial_[static_cast<std::size_t>(c * n_dots + 4 * i + j)];
        sy(i, newest) = sums[0];
        sg_[static_cast<std::size_t>(i)] = sums[1];
        yy(i, newest) = yy(newest, i) = sums[2];
        yg_[static_cast<std::size_t>(i)] = sums[3];
    }
}

// direction = -H gradient by the two loops on coefficients: of y_j (first loop), then of s_j (second).
template <class T>
void Lbfgs<T>::direction() {
    const Kernels<T>& k = kernels<T>();
    const Size p = n_pairs_;
    const auto at = [](std::vector<double>& v, Size i) -> double& { return v[static_cast<std::size_t>(i)]; };
    for (Size i = p - 1; i >= 0; --i) {
        double product = at(sg_, i);
        for (Size j = i + 1; j < p; ++j) product -= at(alpha_, j) * sy(i, j);
        at(alpha_, i) = product / sy(i, i);
    }
    const double gamma = p > 0 ? sy(p - 1, p - 1) / yy(p - 1, p - 1) : 1.0;
    for (Size i = 0; i < p; ++i) {
        double product = at(yg_, i);
        for (Size j = 0; j < p; ++j) product -= at(alpha_, j) * yy(i, j);
        product *= gamma;
        for (Size j = 0; j < i; ++j) product += at(of_s_, j) * sy(j, i);
        at(of_s_, i) = at(alpha_, i) - product / sy(i, i);
    }
    const Size n_chunks = (n_ + kChunk - 1) / kChunk;
    parallel(team_size(n_threads_, 4.0 * static_cast<double>(n_) * static_cast<double>(p + 1)), [&](Team team) {
        const Range chunks = team.share(n_chunks);
        for (Size c = chunks.begin; c < chunks.end; ++c) {
            const Size begin = c * kChunk;
            const Size n = std::min(kChunk, n_ - begin);
            T* d = direction_.data() + begin;
            k.scale(gradient_.data() + begin, static_cast<T>(-gamma), n, d);
            for (Size i = 0; i < p; ++i) {
                k.add_scaled(d, static_cast<T>(gamma * at(alpha_, i)), y(i) + begin, n, d);
                k.add_scaled(d, static_cast<T>(-at(of_s_, i)), s(i) + begin, n, d);
            }
        }
    });
}

// Forgets all pairs; the step that changes parameters by about as much as their gradient's direction allows.
template <class T>
double Lbfgs<T>::steepest() noexcept {
    n_pairs_ = 0;
    for (std::size_t i = 0; i < direction_.size(); ++i) direction_[i] = -gradient_[i];
    const double norm = std::sqrt(dot(gradient_.data(), gradient_.data()));
    return norm > 0 ? std::min(1.0, 1 / norm) : 1.0;
}

template <class T>
void Lbfgs<T>::advance() {
    double step = 1;
    if (n_pairs_ == 0)
        step = steepest();
    else
        direction();
    slope_ = dot(gradient_.data(), direction_.data());
    bool found = slope_ < 0 && search(step);
    if (interrupted()) return;
    if (!found && n_pairs_ > 0) {
        step = steepest();
        slope_ = dot(gradient_.data(), direction_.data());
        found = slope_ < 0 && search(step);
    }
    if (interrupted()) return;
    if (!found) {
        step_.status = LbfgsStatus::stalled;
        return;
    }
    value_ = trial_cost_.total();
    step_.cost = trial_cost_;
    rho_hat_.swap(trial_rho_hat_);
    unit_range_.swap(trial_unit_range_);
    remember();
    const Size newest = n_pairs_ - 1;
    // A pair without positive curvature would spoil the direction; the strong Wolfe conditions make it rare.
    if (!(sy(newest, newest) > 1e-14 * yy(newest, newest))) --n_pairs_;
    step_.gradient_max = 0;
    for (const T g : gradient_) step_.gradient_max = std::max(step_.gradient_max, std::fabs(static_cast<double>(g)));
}

template <class T>
LbfgsStep Lbfgs<T>::iterate() {
    const Size n_pairs = n_pairs_;
    const int n_evaluations = step_.n_evaluations;
    const auto take_back = [&] {
        n_pairs_ = n_pairs;
        step_.n_evaluations = n_evaluations;
    };
    try {
        advance();
    } catch (...) {
        take_back();
        throw;
    }
    if (interrupted()) take_back();
    return step_;
}

// The order of a state's numbers, written and read by the same words.
template <class T>
LbfgsState<T> Lbfgs<T>::state() const {
    LbfgsState<T> state;
    state.vectors = gradient_;
    state.vectors.insert(state.vectors.end(), pairs_.begin(), pairs_.end());
    state.numbers = {value_,
                     step_.cost.reconstruction,
                     step_.cost.weight_decay,
                     step_.cost.sparsity,
                     step_.gradient_max,
                     static_cast<double>(step_.n_evaluations),
                     static_cast<double>(step_.status),
                     static_cast<double>(oldest_),
                     static_cast<double>(n_pairs_)};
    for (const auto* some : {&sy_, &yy_, &sg_, &yg_, &rho_hat_, &unit_range_})
        state.numbers.insert(state.numbers.end(), some->begin(), some->end());
    return state;
}

template <class T>
void Lbfgs<T>::restore(const LbfgsState<T>& state) {
    const std::vector<double>& numbers = state.numbers;
    constexpr std::size_t n_scalars = 9;
    std::size_t n_numbers = n_scalars;
    for (const auto* some : {&sy_, &yy_, &sg_, &yg_, &rho_hat_, &unit_range_}) n_numbers += some->size();
    if (state.vectors.size() != gradient_.size() + pairs_.size() || numbers.size() != n_numbers ||
        !(numbers[7] >= 0 && numbers[7] < options_.memory) || !(numbers[8] >= 0 && numbers[8] <= options_.memory))
        throw std::invalid_argument("the state must be that of an optimiser of the same objective and options");
    const auto pairs = state.vectors.begin() + n_;
    std::copy(state.vectors.begin(), pairs, gradient_.begin());
    std::copy(pairs, state.vectors.end(), pairs_.begin());
    value_ = numbers[0];
    step_.cost = {numbers[1], numbers[2], numbers[3]};
    step_.gradient_max = numbers[4];
    step_.n_evaluations = static_cast<int>(numbers[5]);
    step_.status = numbers[6] == 0 ? LbfgsStatus::going : LbfgsStatus::stalled;
    oldest_ = static_cast<Size>(numbers[7]);
    n_pairs_ = static_cast<Size>(numbers[8]);
    auto from = numbers.begin() + n_scalars;
    for (auto* some : {&sy_, &yy_, &sg_, &yg_, &rho_hat_, &unit_range_}) {
        const auto end = from + static_cast<Size>(some->size());
        std::copy(from, end, some->begin());
        from = end;
    }
}

template class Lbfgs<float>;
template class Lbfgs<double>;

}  // namespace sae_fast
