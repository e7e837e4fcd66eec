#include "sae_fast/workspace.hpp"

#include <new>

namespace sae_fast {

namespace {
constexpr std::align_val_t kAlignment{64};
}

void Workspace::Free::operator()(void* p) const noexcept { ::operator delete(p, kAlignment); }

void* Workspace::reserve(std::size_t n_bytes) {
    if (n_bytes > size_) {
        release();
        memory_.reset(::operator new(n_bytes, kAlignment));
        size_ = n_bytes;
    }
    return memory_.get();
}

void Workspace::release() noexcept {
    memory_.reset();
    size_ = 0;
}

}  // namespace sae_fast
