// A workspace for calls that bring none: one a thread, kept while it is small enough that nobody misses the memory.
#pragma once

#include <cstddef>

#include "sae_fast/workspace.hpp"

namespace sae_fast::bindings {

class LocalWorkspace {
public:
    LocalWorkspace() : workspace_(local()) {}
    ~LocalWorkspace() {
        if (workspace_.size() > kept) workspace_.release();
    }
    LocalWorkspace(const LocalWorkspace&) = delete;
    LocalWorkspace& operator=(const LocalWorkspace&) = delete;
    Workspace& get() noexcept { return workspace_; }

private:
    static constexpr std::size_t kept = std::size_t(32) << 20;
    static Workspace& local() {
        thread_local Workspace workspace;
        return workspace;
    }
    Workspace& workspace_;
};

}  // namespace sae_fast::bindings
