// The table of this instruction set's kernels: the only symbols that its objects export.
#pragma once

#include "kernel_table.hpp"

#define SAE_FAST_TEXT_OF(x) #x
#define SAE_FAST_TEXT(x) SAE_FAST_TEXT_OF(x)

// clang-format off
#define SAE_FAST_DEFINE_TABLE(NAME, T)                                                                          \
    extern const Kernels<T> NAME;                                                                               \
    const Kernels<T> NAME = {                                                                                   \
        SAE_FAST_TEXT(SAE_FAST_ISA), kVector<T>, kTileRows, kSampleVectors, kOuterRows, kPartOfStrips,                                                                 \
        pack_rows<T>, unpack_rows<T>, pack_right<T>, transpose_rows<T>, pack_transposed<T>, product<T>, product_dense<T>, layer_row<T>, \
        product_patches<T>, outer<T>,                                                                           \
        hidden_forward<T>, activate<T>, pool<T>, restore<T>, output_delta<T>, hidden_delta<T>, \
        hidden_columns<T>, output_columns<T>, hidden_delta_columns<T>, activation_penalty<T>, activation_penalty_delta<T>, range_of_columns<T>, \
        softmax<T>, softmax_delta<T>, softmax_columns<T>,                                                         \
        finish_rows<T>, finish_transposed<T>, gradient_rows<T>, sum_squares<T>, logarithms, multiply_adds<T>, read_once<T>, dot<T>, scale<T>, add_scaled<T>,                  \
        select<T>, keep_largest<T>, shift<T>, gather<T>, pick_dots<T>, update_adam_row<T>,                      \
        add_rows<T>, count_strays<T>, count_above<T>, add_areas<T>, reduce_rows<T>, squared_distance<T>,                              \
        update_sgd<T>, update_momentum<T>, update_adam<T>};
// clang-format on
