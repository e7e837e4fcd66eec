// From what is thrown in this folder to what it returns.
#pragma once

#include <exception>
#include <new>
#include <string>

#include "json.hpp"
#include "sae_fast/result.hpp"

namespace sae_fast::files {

/// What `make` gives, or what it throws, in words that begin with `name`.
template <class T, class Make>
Result<T> attempt(const std::string& name, Make make) noexcept {
    try {
        try {
            return make();
        } catch (const Refused& refused) {
            return Result<T>::failed(name + " " + refused.words);
        } catch (const std::bad_alloc&) {
            return Result<T>::failed(name + " needs more memory than there is");
        } catch (const std::exception& error) {
            return Result<T>::failed(name + ": " + error.what());
        }
    } catch (...) {  // no memory for the words either
        return Result<T>::failed({});
    }
}

}  // namespace sae_fast::files
