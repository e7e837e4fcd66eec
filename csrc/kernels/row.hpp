// One row of a layer. A tile of one row by one panel has too few chains to keep the multiply-add units busy, so several
// panels go side by side; the chain of each element is still that of `product`.
#pragma once

#include "epilogues.hpp"
#include "machine/machine.hpp"
#include "shared.hpp"

namespace sae_fast {
namespace {

/// z = x B for NW panels of 3 vectors and NR panels of VR vectors behind them, then unit(z + bias) to out. If Shared,
/// the last vector is a shared one, whose z is known.
template <class T, int NW, int NR, int VR, bool Shared>
inline void row_group(const PanelSplit& split, Unit u, const T* x, Size n_k, const T* B, const T* bias, Size n_used,
                      T* out, const T* shared) noexcept {
    constexpr int n_vec = 3 * NW + NR * VR;
    constexpr int plain = NR - (Shared ? 1 : 0);
    constexpr Size n = kLanes<T>;
    Vec<T> acc[n_vec] = {};
    const T* whole = B + 3 * n * NW * n_k + VR * n * plain * n_k;  // the shared panel's whole vector of row k
    const auto step = [&](Size k, const T* last) {
        const T value = x[k];
#pragma GCC unroll 4
        for (int p = 0; p < NW; ++p)
#pragma GCC unroll 4
            for (int j = 0; j < 3; ++j) acc[3 * p + j] += value * load(B + 3 * n * (p * n_k + k) + j * n);
        const T* rest = B + 3 * n * NW * n_k;
#pragma GCC unroll 4
        for (int p = 0; p < plain; ++p)
#pragma GCC unroll 4
            for (int j = 0; j < VR; ++j)
                acc[3 * NW + VR * p + j] += value * load(rest + VR * n * (p * n_k + k) + j * n);
        if constexpr (Shared) acc[n_vec - 2] += value * load(last);
    };
    if constexpr (Shared) {
        Size k = 0;
        for (; k + 2 <= n_k; k += 2) {  // ways are even
            step(k, whole);
            step(k + 1, whole + n);
            whole += 2 * n + (((k + 2) & (split.ways - 1)) == 0 ? n : 0);
            if (split.ways2 > 1 && ((k + 2) & (split.ways2 - 1)) == 0) whole += n;
        }
        if (k < n_k) step(k, whole);
    } else {
        for (Size k = 0; k < n_k; ++k) step(k, nullptr);
    }
    if constexpr (Shared) acc[n_vec - 1] = load(shared);
    alignas(64) T z[n_vec * n];
#pragma GCC unroll 16
    for (int j = 0; j < n_vec; ++j) store(z + j * n, acc[j]);
    activate(u, z, Size(1), Size(n_vec), n_used, bias, out, Size(0));
}

// The last panels, all at once: up to 3 wide ones, then the narrow ones.
template <class T, int NW>
inline void row_rest(const PanelSplit& split, Unit u, const T* x, Size n_k, const T* B, const T* bias, Size n_used,
                     T* out) noexcept {
    if (split.shared) {
        const Size p = split.count() - 1;
        const T* panel = B + (split.offset(p) - 3 * kLanes<T> * (split.n_wide - NW)) * n_k;
        alignas(64) T z[kLanes<T>];
        with_both_ways<T, SharedRow>(split.ways, split.ways2, x, n_k, panel, static_cast<T*>(z));
        if (split.n_rest == 2) return row_group<T, NW, 2, 2, true>(split, u, x, n_k, B, bias, n_used, out, z);
        return row_group<T, NW, 1, 2, true>(split, u, x, n_k, B, bias, n_used, out, z);
    }
    const T* none = nullptr;
    if (split.n_rest == 2) return row_group<T, NW, 2, 2, false>(split, u, x, n_k, B, bias, n_used, out, none);
    if (split.rest == 2) return row_group<T, NW, 1, 2, false>(split, u, x, n_k, B, bias, n_used, out, none);
    if (split.rest == 1) return row_group<T, NW, 1, 1, false>(split, u, x, n_k, B, bias, n_used, out, none);
    if constexpr (NW > 0) row_group<T, NW, 0, 1, false>(split, u, x, n_k, B, bias, n_used, out, none);
}

template <class T, int F>
struct InterleavedRow {
    static void run(const T* x, Size n_k, const T* B, T* z) noexcept {
        const PanelSplit split(n_k, kVector<T>);
        for (Panels part{0, 0}; part.begin < split.count(); part.begin = part.end) {
            part.end = split.part(part.begin, kPartColumns).end;
            const InterleavedPart columns(split, part);
            interleaved_tile<T, 1, F>({x, 0, 0, n_k}, 0, columns, B + columns.begin / F * kLanes<T>, z);
        }
    }
};

template <class T>
void layer_row(Unit u, const T* x, Size n_k, const T* B, Size n_out, const T* bias, T* out) noexcept {
    const PanelSplit split(n_out, kVector<T>);
    if (split.apart()) {
        const Size p = split.n_plain();
        const Size at = split.offset(p);
        alignas(64) T z[kLanes<T>] = {};
        with_ways<T, InterleavedRow>(split.ways, x, n_k, B + at * n_k, static_cast<T*>(z));
        activate(u, z, Size(1), Size(1), n_out - at, bias + at, out + at, Size(0));
        n_out = at;
    }
    constexpr Size group = 9 * kLanes<T>;
    Size wide = split.n_wide;
    for (; wide > 3; wide -= 3, B += group * n_k, bias += group, out += group, n_out -= group)
        row_group<T, 3, 0, 1, false>(split, u, x, n_k, B, bias, group, out, nullptr);
    switch (wide) {
        case 0:
            return row_rest<T, 0>(split, u, x, n_k, B, bias, n_out, out);
        case 1:
            return row_rest<T, 1>(split, u, x, n_k, B, bias, n_out, out);
        case 2:
            return row_rest<T, 2>(split, u, x, n_k, B, bias, n_out, out);
        default:
            return row_rest<T, 3>(split, u, x, n_k, B, bias, n_out, out);
    }
}

}  // namespace
}  // namespace sae_fast
