#include "sparsity.hpp"

#include <algorithm>

namespace sae_fast {

namespace {

double log_add(double a, double b) noexcept {
    const double top = std::max(a, b);
    if (std::isinf(top)) return top;
    return top + std::log1p(std::exp(std::min(a, b) - top));
}

// x - log(1 + x) for small x, by its series: x^2/2 - x^3/3 + ...
double surplus(double x) noexcept {
    static constexpr double coefficient[] = {1.0 / 2,  1.0 / 3,  1.0 / 4,  1.0 / 5,  1.0 / 6,  1.0 / 7,
                                             1.0 / 8,  1.0 / 9,  1.0 / 10, 1.0 / 11, 1.0 / 12, 1.0 / 13,
                                             1.0 / 14, 1.0 / 15, 1.0 / 16, 1.0 / 17, 1.0 / 18, 1.0 / 19,
                                             1.0 / 20, 1.0 / 21, 1.0 / 22, 1.0 / 23, 1.0 / 24};
    double sum = 0;
    for (int i = 22; i >= 0; --i) sum = coefficient[i] - x * sum;
    return x * x * sum;
}

}  // namespace

Mean blend(const Mean& before, const Mean& now, double momentum) noexcept {
    const double log_old = std::log(momentum);
    const double log_new = std::log1p(-momentum);
    return {momentum * before.s + (1 - momentum) * now.s, momentum * before.c + (1 - momentum) * now.c,
            log_add(log_old + before.log_s, log_new + now.log_s), log_add(log_old + before.log_c, log_new + now.log_c)};
}

double divergence(const Wanted& wanted, const Mean& mean) noexcept {
    const double rho = wanted.rho;
    const double d = excess(rho, mean);
    // For small x = d / rho and y = -d / (1 - rho) the terms of first order cancel: rho x + (1 - rho) y = 0.
    if (std::fabs(d) < 0.1 * rho && std::fabs(d) < 0.1 * (1 - rho))
        return rho * surplus(d / rho) + (1 - rho) * surplus(-d / (1 - rho));
    return rho * (wanted.log_rho - mean.log_s) + (1 - rho) * (wanted.log_rest - mean.log_c);
}

double penalty_delta(double z, double rho, const Mean& mean) noexcept {
    const double log_s = log_sigmoid(z);
    const double log_c = log_sigmoid(-z);
    const double active = std::exp(log_s - mean.log_s) * std::exp(log_c);
    const double inactive = std::exp(log_c - mean.log_c) * std::exp(log_s);
    return -rho * active + (1 - rho) * inactive;
}

}  // namespace sae_fast
