// The arithmetic peak of this machine, for benchmarks: what is fast is told as a multiple of it.
#pragma once

namespace sae_fast {

/// Multiply-adds per second of n_threads threads that do nothing else, in T and with the chosen instruction set,
/// measured over about `seconds`. n_threads 0: the default.
template <class T>
double multiply_add_rate(int n_threads, double seconds);

}  // namespace sae_fast
