// Any bytes as JSON, in both dialects: what is read is written such that it is read again and written alike.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "files/json.hpp"

using namespace sae_fast::files;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    for (const Dialect dialect : {Dialect::python, Dialect::strict}) {
        std::string written;
        try {
            const Json value = parse_json(text, dialect);
            written = canonical_json(value);
            if (shortened(value).size() > 60) std::abort();
        } catch (const Refused&) {
            continue;
        }
        if (canonical_json(parse_json(written, dialect)) != written) std::abort();
    }
    return 0;
}
