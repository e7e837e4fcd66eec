// A workspace for calls that bring none: one a thread. A small one is kept as it is, a larger one on loan from the
// system, which may take its pages back; a huge one is given back, since it counts as used until then.
#pragma once

#include <cstddef>

#include "sae_fast/workspace.hpp"

namespace sae_fast {

class LocalWorkspace {
public:
    LocalWorkspace() : workspace_(local()) {}
    ~LocalWorkspace() {
        if (workspace_.size() > lent)
            workspace_.release();
        else if (workspace_.wanted() > kept)
            workspace_.rest();
    }
    LocalWorkspace(const LocalWorkspace&) = delete;
    LocalWorkspace& operator=(const LocalWorkspace&) = delete;
    Workspace& get() noexcept { return workspace_; }

private:
    static constexpr std::size_t kept = std::size_t(32) << 20;
    static constexpr std::size_t lent = std::size_t(256) << 20;
    static Workspace& local() {
        thread_local Workspace workspace;
        return workspace;
    }
    Workspace& workspace_;
};

}  // namespace sae_fast
