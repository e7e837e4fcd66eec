// The losses by element, one struct each: everything that a kernel has to know of one. What the rest of the core knows
// is a line of kLosses (types.hpp). Losses of whole rows are in softmax.hpp.
//
//   add       adds what one vector of outputs is to the loss, times its weight, to a sum, and returns delta, times its
//             weight, from z, the target x, and the unit's error e = {a - x, g'(z)}
//
//   squared:  twice the loss is e^2.  delta = e g'(z).
//   absolute: |e|.  delta = sign(e) g'(z).
//   huber:    e^2 / 2 where |e| <= 1, else |e| - 1/2.  delta = e g'(z), e cut to [-1, 1].
//   cross_entropy, of sigmoid outputs:  -x log a - (1 - x) log(1 - a), from z, so that it is precise where a has
//             rounded to its limit: log(1 + exp(-|z|)), and |z| times what of x is on the side where a is not. NaN
//             where x is not in [0, 1].  delta = e.
//
// A NaN stays one.
#pragma once

#include "units.hpp"

namespace sae_fast {
namespace {

template <class T>
struct Squared {
    static Vec<T> add(Vec<T>, Vec<T>, Error<T> e, Vec<T> weight, Vec<T>& sum) noexcept {
        const Vec<T> weighted = weight * e.difference;
        sum += e.difference * weighted;
        return weighted * e.slope;
    }
};

template <class T>
struct Absolute {
    static Vec<T> add(Vec<T>, Vec<T>, Error<T> e, Vec<T> weight, Vec<T>& sum) noexcept {
        sum += weight * absolute<T>(e.difference);
        return weight * (sign<T>(e.difference) * e.slope);
    }
};

template <class T>
struct Huber {
    static Vec<T> add(Vec<T>, Vec<T>, Error<T> e, Vec<T> weight, Vec<T>& sum) noexcept {
        const Vec<T> size = absolute<T>(e.difference);
        const Vec<T> cut = size > T(1) ? sign<T>(e.difference) : e.difference;
        sum += weight * (size > T(1) ? size - T(0.5) : T(0.5) * (size * size));
        return weight * (cut * e.slope);
    }
};

template <class T>
struct CrossEntropy {
    static Vec<T> add(Vec<T> z, Vec<T> x, Error<T> e, Vec<T> weight, Vec<T>& sum) noexcept {
        const Vec<T> zero{};
        const Vec<T> other = z < zero ? x : T(1) - x;
        const Vec<T> loss = log_one_plus<T>(exp_of_size<T>(z)) + (other == zero ? zero : other * absolute<T>(z));
        sum += weight * (((x >= zero) & (x <= T(1))) ? loss : splat(static_cast<T>(__builtin_nan(""))));
        return weight * e.difference;
    }
};

/// f(unit, loss) with the structs of the output's unit and loss.
template <class T, class F>
inline auto with_output(Unit u, Loss loss, F f) noexcept {
    switch (loss) {
        case Loss::absolute:
            return with_unit<T>(u, [&](auto unit) { return f(unit, Absolute<T>()); });
        case Loss::huber:
            return with_unit<T>(u, [&](auto unit) { return f(unit, Huber<T>()); });
        case Loss::cross_entropy:
            return f(Sigmoid<T>(), CrossEntropy<T>());
        default:
            return with_unit<T>(u, [&](auto unit) { return f(unit, Squared<T>()); });
    }
}

}  // namespace
}  // namespace sae_fast
