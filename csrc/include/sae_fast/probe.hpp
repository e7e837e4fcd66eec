// What this machine can do at best, for benchmarks: what is fast is told as a multiple of it.
#pragma once

#include "sae_fast/types.hpp"

namespace sae_fast {

/// Multiply-adds per second of n_threads threads that do nothing else, in T and with the chosen instruction set,
/// each thread's in its best millisecond of about `seconds`. n_threads 0: the default.
template <class T>
double multiply_add_rate(int n_threads, double seconds);

/// Seconds in which one thread reads n contiguous elements once and does next to nothing with them, the fastest of many
/// passes that follow one another for about `seconds`. Throws std::bad_alloc.
template <class T>
double read_time(Size n, double seconds);

}  // namespace sae_fast
