// Scratch memory that belongs to the caller and is reused: once grown to what a problem needs, no call allocates.
#pragma once

#include <cstddef>
#include <memory>

namespace sae_fast {

class Workspace {
public:
    /// At least n_bytes, aligned to 64 bytes, in huge pages where it is large; contents undefined. Throws
    /// std::bad_alloc.
    void* reserve(std::size_t n_bytes);
    std::size_t size() const noexcept { return size_; }
    /// What the last reserve() asked for.
    std::size_t wanted() const noexcept { return wanted_; }
    void release() noexcept;
    /// Nobody needs the contents until the next reserve(): where the system can, it may take back the pages of a large
    /// block when memory is short. They cost nothing if it did not.
    void rest() noexcept;

private:
    struct Free {
        std::size_t alignment;
        void operator()(void* p) const noexcept;
    };
    std::unique_ptr<void, Free> memory_;
    std::size_t size_ = 0, wanted_ = 0;
};

/// Hands out pieces of a block one after another. Without a block it only counts, so that one function can say how
/// much is needed and then take it.
class Arena {
public:
    explicit Arena(void* base = nullptr) noexcept : base_(static_cast<char*>(base)) {}

    template <class T>
    T* take(std::ptrdiff_t n) noexcept {
        const std::size_t at = used_;
        used_ += (static_cast<std::size_t>(n) * sizeof(T) + 63) / 64 * 64;
        return base_ == nullptr ? nullptr : reinterpret_cast<T*>(base_ + at);
    }
    std::size_t used() const noexcept { return used_; }

private:
    char* base_;
    std::size_t used_ = 0;
};

}  // namespace sae_fast
