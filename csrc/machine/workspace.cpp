#include "sae_fast/workspace.hpp"

#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace sae_fast {

namespace {

constexpr std::size_t kLine = 64;
// Large blocks ask for huge pages: the panels of a layer of a few megabytes are walked through again and again, and
// small pages cost more in address translation than in data.
constexpr std::size_t kHugePage = std::size_t(1) << 21;

constexpr std::size_t alignment_of(std::size_t n_bytes) noexcept { return n_bytes >= kHugePage ? kHugePage : kLine; }

}  // namespace

void Workspace::Free::operator()(void* p) const noexcept { ::operator delete(p, std::align_val_t(alignment)); }

void* Workspace::reserve(std::size_t n_bytes) {
    wanted_ = n_bytes;
    if (n_bytes > size_) {
        release();
        const std::size_t alignment = alignment_of(n_bytes);
        if (alignment == kHugePage) n_bytes = (n_bytes + kHugePage - 1) / kHugePage * kHugePage;
        memory_ = {::operator new(n_bytes, std::align_val_t(alignment)), Free{alignment}};
        size_ = n_bytes;
#if defined(__linux__)
        if (alignment == kHugePage) madvise(memory_.get(), size_, MADV_HUGEPAGE);  // a wish: nothing depends on it
#endif
    }
    return memory_.get();
}

void Workspace::rest() noexcept {
#if defined(__linux__) && defined(MADV_FREE)
    if (size_ >= kHugePage) madvise(memory_.get(), size_, MADV_FREE);
#endif
}

void Workspace::release() noexcept {
    memory_.reset();
    size_ = 0;
}

}  // namespace sae_fast
