#include "machine.hpp"

#include <algorithm>
#include <cstdlib>

#if defined(__APPLE__)
#include <sys/sysctl.h>
#include <sys/types.h>
#elif defined(__unix__)
#include <unistd.h>
#endif

namespace sae_fast {

namespace {

// 0 where nobody says.
Size second_level_cache() noexcept {
    if (const char* given = std::getenv("SAE_FAST_L2")) return std::max(0LL, std::atoll(given));
#if defined(__APPLE__)
    long long bytes = 0;
    std::size_t size = sizeof bytes;
    return sysctlbyname("hw.l2cachesize", &bytes, &size, nullptr, 0) == 0 ? static_cast<Size>(bytes) : 0;
#elif defined(_SC_LEVEL2_CACHE_SIZE)
    return std::max(0L, sysconf(_SC_LEVEL2_CACHE_SIZE));
#else
    return 0;
#endif
}

Size choose() noexcept {
    constexpr Size least = Size(1) << 17;
    constexpr Size most = Size(1) << 22;
    const Size bytes = second_level_cache();
    if (bytes == 0) return kCache;
    return std::clamp(std::max(bytes / 2, std::min(bytes, kCache)), least, most);
}

}  // namespace

Size near_cache() noexcept {
    static const Size bytes = choose();
    return bytes;
}

}  // namespace sae_fast
