// Runs one of the guarded works a number of times, on one thread: `instructions WORK REPETITIONS`. Counted by
// callgrind; see instructions.py.
#include <cstdlib>
#include <cstring>

#include "../tests/csrc/problem.hpp"
#include "sae_fast/encoder.hpp"

using namespace sae_fast;
using namespace sae_fast::test;

namespace {

template <class T>
void cost_and_grad(Size m, Size v, Size h, int repetitions) {
    const Arrays<T> p(v, h, 0, 0.1);
    const std::vector<T> X = data<T>(m, v);
    Arrays<T> grad(v, h);
    const std::array<Layer<T>, 2> view = grad.view();
    Workspace workspace;
    const Autoencoder<T> given(p, X, Unit::sigmoid, Unit::sigmoid, Penalty{});
    for (int i = 0; i < repetitions; ++i)
        evaluate(given.problem(), Results<T>{view.data(), nullptr, nullptr}, 1, workspace);
}

void encode_one(Size v, Size h, int repetitions) {
    const Arrays<float> p(v, h, 0, 0.1);
    const std::vector<float> x = data<float>(1, v);
    std::vector<float> out(static_cast<std::size_t>(h));
    const Encoder<float> encoder(p.W1.data(), p.b1.data(), v, h, Unit::sigmoid);
    for (int i = 0; i < repetitions; ++i) encoder.encode_one(x.data(), out.data());
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) return 2;
    const int repetitions = std::atoi(argv[2]);
    if (std::strcmp(argv[1], "cost_and_grad 512 x 784 -> 196 float32") == 0)
        cost_and_grad<float>(512, 784, 196, repetitions);
    else if (std::strcmp(argv[1], "cost_and_grad 2000 x 64 -> 25 float32") == 0)
        cost_and_grad<float>(2000, 64, 25, repetitions);
    else if (std::strcmp(argv[1], "cost_and_grad 16 x 64 -> 25 float64") == 0)
        cost_and_grad<double>(16, 64, 25, repetitions);
    else if (std::strcmp(argv[1], "encode_one 1 x 784 -> 196 float32") == 0)
        encode_one(784, 196, repetitions);
    else
        return 2;
    return 0;
}
