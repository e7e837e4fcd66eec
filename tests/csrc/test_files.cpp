// Checksums, and encoders of what a model file holds. Whole files are read by tests/files/test_cpp_reader.py.
#include <algorithm>
#include <string>

#include "check.hpp"
#include "files/sha256.hpp"
#include "sae_fast/model_file.hpp"

using namespace sae_fast;
using namespace sae_fast::test;

namespace {

std::string sha256(const std::string& text, std::size_t piece) {
    files::Sha256 digest;
    for (std::size_t i = 0; i < text.size(); i += piece) digest.update(std::string_view(text).substr(i, piece));
    return digest.hex_digest();
}

template <class T>
ModelFile model(const std::vector<Size>& sizes) {
    std::vector<ModelLayer<T>> layers;
    for (std::size_t k = 0; k + 1 < sizes.size(); ++k) {
        const unsigned seed = static_cast<unsigned>(k);
        layers.push_back({static_cast<Unit>(k % 2), sizes[k], sizes[k + 1],
                          numbers<T>(sizes[k] * sizes[k + 1], seed, 0.3), numbers<T>(sizes[k + 1], seed + 7)});
    }
    ModelFile file;
    file.layers = std::move(layers);
    return file;
}

template <class T>
void check_stack(const std::vector<Size>& sizes, Size n_rows) {
    const auto encoder = make_encoder<T>(model<T>(sizes));
    CHECK(encoder && encoder.error().empty());
    if (!encoder) return;
    const Size n_in = sizes.front(), n_out = sizes.back();
    CHECK(encoder->n_visible() == n_in && encoder->n_hidden() == n_out);
    const std::vector<T> X = numbers<T>(n_rows * n_in, 3);
    std::vector<T> many(static_cast<std::size_t>(n_rows * n_out)), threaded = many, one = many, by_hand = many;
    CHECK(encoder->encode(X.data(), n_rows, many.data(), 1));
    CHECK(encoder->encode(X.data(), n_rows, threaded.data(), 3));
    const bool is_small = *std::max_element(sizes.begin(), sizes.end()) <= 2048;
    const long before = allocations();
    for (Size i = 0; i < n_rows; ++i) encoder->encode_one(X.data() + i * n_in, one.data() + i * n_out);
    CHECK(!is_small || allocations() == before);
    for (Size i = 0; i < n_rows; ++i) {
        std::vector<T> x(X.begin() + i * n_in, X.begin() + (i + 1) * n_in);
        for (const auto& layer : encoder->layers()) {
            std::vector<T> codes(static_cast<std::size_t>(layer->n_hidden()));
            layer->encode_one(x.data(), codes.data());
            x = codes;
        }
        std::copy(x.begin(), x.end(), by_hand.begin() + i * n_out);
    }
    CHECK(many == by_hand);
    CHECK(threaded == by_hand);
    CHECK(one == by_hand);
}

TEST("SHA-256 is that of the standard's examples, in one piece and in several") {
    const std::string a_million(1000000, 'a');
    for (const std::size_t piece : std::initializer_list<std::size_t>{1, 3, 63, 64, 65, 4096}) {
        CHECK(sha256("", piece) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        CHECK(sha256("abc", piece) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        CHECK(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", piece) ==
              "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    }
    CHECK(sha256(a_million, 1000) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST("a stack encodes as its layers do, one row as many") {
    for (const Size n_rows : {1, 2, 9, 65}) {
        check_stack<double>({9, 5}, n_rows);
        check_stack<float>({17, 9, 33}, n_rows);
        check_stack<double>({33, 65, 7, 1}, n_rows);
    }
    check_stack<float>({3, 3000, 4}, 3);
    check_stack<double>({5, 3, 4}, 4100);
}

TEST("an encoder of another type is an error that says which one to take") {
    const auto encoder = make_encoder<double>(model<float>({3, 2}));
    CHECK(!encoder);
    CHECK(encoder.error() == "the model holds weights of float32: take load_encoder<float>");
}

TEST("a file that is not there is an error in one line") {
    const auto encoder = load_encoder<float>("no such folder/model.safetensors");
    CHECK(!encoder);
    CHECK(encoder.error() == "no such folder/model.safetensors cannot be read: No such file or directory");
    CHECK(!parse_model_file("", 0) && parse_model_file("", 0).error().find("model is not a model file") == 0);
}

}  // namespace
