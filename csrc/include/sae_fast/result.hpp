// A value, or why there is none: what reads files returns, as it throws nothing.
#pragma once

#include <optional>
#include <string>
#include <utility>

namespace sae_fast {

/// if (!result) { ... result.error() ... } else { ... result->... }
template <class T>
class [[nodiscard]] Result {
public:
    Result(T value) : value_(std::move(value)) {}

    static Result failed(std::string error) {
        Result result;
        result.error_ = std::move(error);
        return result;
    }

    /// For the reason that another one has.
    template <class U>
    static Result failed(Result<U>&& other) noexcept {
        return failed(std::move(other.error_));
    }

    explicit operator bool() const noexcept { return value_.has_value(); }
    /// What is wrong and what to do, in one line without its end; empty where there is a value.
    const std::string& error() const noexcept { return error_; }

    /// The value; undefined where there is none.
    const T& operator*() const noexcept { return *value_; }
    T& operator*() noexcept { return *value_; }
    const T* operator->() const noexcept { return &*value_; }
    T* operator->() noexcept { return &*value_; }

private:
    template <class U>
    friend class Result;

    Result() = default;
    std::optional<T> value_;
    std::string error_;
};

}  // namespace sae_fast
