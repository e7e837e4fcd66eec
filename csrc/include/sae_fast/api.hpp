// What stands behind api.h: an encoder of either type, and the table.
#pragma once

#include <utility>
#include <variant>

#include "sae_fast/api.h"
#include "sae_fast/stack_encoder.hpp"

struct sae_fast_encoder {
    template <class T>
    explicit sae_fast_encoder(sae_fast::StackEncoder<T> stack) : any(std::move(stack)) {}

    std::variant<sae_fast::StackEncoder<float>, sae_fast::StackEncoder<double>> any;
};

namespace sae_fast {

/// The table of this build; it lasts as long as the program.
const sae_fast_api& api() noexcept;

}  // namespace sae_fast
