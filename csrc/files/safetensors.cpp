#include "safetensors.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <memory>

namespace sae_fast::files {

namespace {

constexpr std::size_t kPrefix = 8;  // the length of the header, little-endian
constexpr std::uint64_t kLongestHeader = 100'000'000;
constexpr char kNoModel[] = "is not a model file of sae_fast, or it is damaged";
constexpr char kCut[] = "is damaged: it is cut short, or has something behind its end";

std::uint64_t little_endian(const char* bytes, int n) noexcept {
    std::uint64_t number = 0;
    for (int i = n; i-- > 0;) number = number << 8 | static_cast<unsigned char>(bytes[i]);
    return number;
}

std::uint64_t header_length(std::string_view prefix) {
    const std::uint64_t length = prefix.size() < kPrefix ? 0 : little_endian(prefix.data(), 8);
    if (length == 0 || length > kLongestHeader) throw Refused{kNoModel};
    return length;
}

std::uint64_t count(const Json* value) {
    const Integer* integer = value == nullptr ? nullptr : value->as<Integer>();
    if (integer == nullptr || integer->digits.front() == '-') throw Refused{kNoModel};
    std::uint64_t number = 0;
    for (const char digit : integer->digits) {
        const std::uint64_t next = static_cast<std::uint64_t>(digit - '0');
        if (number > (std::numeric_limits<std::uint64_t>::max() - next) / 10) throw Refused{kNoModel};
        number = number * 10 + next;
    }
    return number;
}

std::uint64_t product(std::uint64_t a, std::uint64_t b) {
    if (b != 0 && a > std::numeric_limits<std::uint64_t>::max() / b) throw Refused{kNoModel};
    return a * b;
}

struct Entry {
    const std::string* name;
    std::uint64_t begin, end, n_bytes;
    Tensor tensor;
};

Entry entry_of(const Member& member) {
    const Json *type = member.value.find("dtype"), *shape = member.value.find("shape");
    const Json* offsets = member.value.find("data_offsets");
    const List* sizes = shape == nullptr ? nullptr : shape->as<List>();
    const List* ends = offsets == nullptr ? nullptr : offsets->as<List>();
    const std::string* name = type == nullptr ? nullptr : type->as<std::string>();
    if (name == nullptr || sizes == nullptr || ends == nullptr || ends->size() != 2) throw Refused{kNoModel};
    Entry entry{&member.name, count(&(*ends)[0]), count(&(*ends)[1]), 1, {}};
    entry.tensor.type = *name;
    for (const Json& size : *sizes) {
        const std::uint64_t n = count(&size);
        entry.n_bytes = product(entry.n_bytes, n);
        entry.tensor.shape.push_back(n);
    }
    if (*name == "F32" || *name == "F64")
        entry.n_bytes = product(entry.n_bytes, entry.tensor.is_double() ? 8 : 4);
    else
        entry.n_bytes = entry.end - std::min(entry.begin, entry.end);  // the format's number may tell why
    return entry;
}

std::vector<Entry> entries_of(const Object& header) {
    std::vector<Entry> entries;
    for (const Member& member : header)
        if (member.name != "__metadata__") entries.push_back(entry_of(member));
    std::sort(entries.begin(), entries.end(),
              [](const Entry& a, const Entry& b) { return a.begin != b.begin ? a.begin < b.begin : a.end < b.end; });
    std::uint64_t at = 0;
    for (const Entry& entry : entries) {
        if (entry.begin != at || entry.end < at || entry.end - at != entry.n_bytes) throw Refused{kNoModel};
        at = entry.end;
    }
    return entries;
}

Json parse_header(std::string_view text) {
    try {
        Json header = parse_json(text, Dialect::strict);
        if (header.as<Object>() != nullptr) return header;
    } catch (const Refused&) {  // it may be a file of any kind: how its JSON is wrong says nothing
    }
    throw Refused{kNoModel};
}

struct Close {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};

/// n more bytes, or fewer where the file ends; room is taken as they come, not as somebody has promised.
void read_more(std::FILE* file, std::uint64_t n, std::string& bytes) {
    constexpr std::uint64_t most = std::uint64_t(1) << 22;
    while (n > 0) {
        const std::size_t wanted = static_cast<std::size_t>(std::min(n, most)), had = bytes.size();
        bytes.resize(had + wanted);
        const std::size_t got = std::fread(&bytes[had], 1, wanted, file);
        bytes.resize(had + got);
        if (std::ferror(file) != 0) throw Refused{std::string("cannot be read: ") + std::strerror(errno)};
        if (got < wanted) return;
        n -= got;
    }
}

}  // namespace

double Tensor::at(std::size_t i) const noexcept {
    if (is_double()) {
        double value;
        const std::uint64_t bits = little_endian(bytes.data() + 8 * i, 8);
        std::memcpy(&value, &bits, sizeof value);
        return value;
    }
    float value;
    const std::uint32_t bits = static_cast<std::uint32_t>(little_endian(bytes.data() + 4 * i, 4));
    std::memcpy(&value, &bits, sizeof value);
    return static_cast<double>(value);
}

std::string Tensor::shape_text() const {
    std::string text = "(";
    for (std::size_t i = 0; i < shape.size(); ++i) text += (i > 0 ? ", " : "") + std::to_string(shape[i]);
    return text + (shape.size() == 1 ? ",)" : ")");
}

std::string read_container(const std::string& path) {
    errno = 0;
    const std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), "rb"));
    if (file == nullptr) throw Refused{std::string("cannot be read: ") + std::strerror(errno)};
    std::string bytes;
    read_more(file.get(), kPrefix, bytes);
    const std::uint64_t length = header_length(bytes);
    read_more(file.get(), length, bytes);
    if (bytes.size() < kPrefix + length) throw Refused{kNoModel};
    const Json header = parse_header(std::string_view(bytes).substr(kPrefix));
    const std::vector<Entry> entries = entries_of(*header.as<Object>());
    const std::uint64_t n_bytes = entries.empty() ? 0 : entries.back().end;
    read_more(file.get(), n_bytes, bytes);
    if (bytes.size() < kPrefix + length + n_bytes) throw Refused{kCut};
    // A pipe may stay open behind the file.
    const bool seekable = std::fseek(file.get(), 0, SEEK_CUR) == 0;
    if (seekable && std::fgetc(file.get()) != EOF) throw Refused{kCut};
    return bytes;
}

Container parse_container(std::string_view bytes) {
    const std::uint64_t length = header_length(bytes);
    if (length > bytes.size() - kPrefix) throw Refused{kNoModel};
    const Json header = parse_header(bytes.substr(kPrefix, static_cast<std::size_t>(length)));
    const Json* metadata = header.find("__metadata__");
    const Object* texts = metadata == nullptr ? nullptr : metadata->as<Object>();
    const bool all = texts != nullptr && std::all_of(texts->begin(), texts->end(), [](const Member& member) {
                         return member.value.as<std::string>() != nullptr;
                     });
    const Json* own = all ? metadata->find("sae_fast") : nullptr;
    if (own == nullptr) throw Refused{kNoModel};
    Container container{*own->as<std::string>(), {}};
    const std::string_view data = bytes.substr(kPrefix + static_cast<std::size_t>(length));
    std::uint64_t end = 0;
    for (Entry& entry : entries_of(*header.as<Object>())) {
        end = entry.end;
        if (end > data.size()) throw Refused{kCut};
        entry.tensor.bytes =
            data.substr(static_cast<std::size_t>(entry.begin), static_cast<std::size_t>(entry.n_bytes));
        container.tensors[*entry.name] = std::move(entry.tensor);
    }
    if (end != data.size()) throw Refused{kCut};
    return container;
}

}  // namespace sae_fast::files
