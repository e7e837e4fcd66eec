# find_package(sae_fast CONFIG REQUIRED)
# target_link_libraries(app PRIVATE sae_fast::sae_fast)
#
# Builds the core from the sources beside this file, in the project that asks for it: the kernels once for each
# instruction set, with the flags of the package's own build, so that codes are those of Python to the last bit. The best
# set that the processor has is picked at run time. Flags of the project do not reach the sources where they would change
# results (-march, -ffast-math) or their speed (-O0 of a debug build).
#
# SAE_FAST_ISAS    instruction sets to build, such as avx2;avx512: all of this architecture by default. With some of them
#                  alone it builds faster, and runs where one of them is at home.
# SAE_FAST_OPENMP  threads: ON by default, where the compiler has OpenMP.
cmake_minimum_required(VERSION 3.18...4.0)

if(TARGET sae_fast::sae_fast)
  return()
endif()
get_property(_sae_fast_languages GLOBAL PROPERTY ENABLED_LANGUAGES)
if(NOT "CXX" IN_LIST _sae_fast_languages)
  set(sae_fast_NOT_FOUND_MESSAGE "sae_fast needs C++: project(... LANGUAGES CXX)")
  set(sae_fast_FOUND FALSE)
  return()
endif()
if(NOT CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
  set(sae_fast_NOT_FOUND_MESSAGE "sae_fast needs GCC or Clang, whose vector extensions the kernels use")
  set(sae_fast_FOUND FALSE)
  return()
endif()

option(SAE_FAST_OPENMP "Build sae_fast with threads, where the compiler has OpenMP" ON)
set(SAE_FAST_ISAS "" CACHE STRING "Instruction sets to build sae_fast for; all of this architecture if empty")

get_filename_component(_sae_fast_root "${CMAKE_CURRENT_LIST_DIR}/.." ABSOLUTE)
set(_sae_fast_csrc "${_sae_fast_root}/csrc")
set(_sae_fast_include "${_sae_fast_root}/include")
if(NOT IS_DIRECTORY "${_sae_fast_include}")  # in a checkout
  set(_sae_fast_include "${_sae_fast_csrc}/include")
endif()

# As in setup.py. No kernel looks at errno or at floating-point exceptions.
set(_sae_fast_flags -w -O3 -fno-fast-math -fno-math-errno -fno-trapping-math -fvisibility=hidden)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  set(_sae_fast_known baseline avx2 avx512)
  list(APPEND _sae_fast_flags -march=x86-64 -mtune=generic)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64|ARM64)$")
  set(_sae_fast_known neon)
else()
  set(_sae_fast_known baseline)
endif()
set(_sae_fast_flags_avx2 -mavx2 -mfma)
set(_sae_fast_flags_avx512 -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma -mprefer-vector-width=512)
set(_sae_fast_isas ${SAE_FAST_ISAS})
if(NOT _sae_fast_isas)
  set(_sae_fast_isas ${_sae_fast_known})
endif()

function(_sae_fast_compile target)
  target_include_directories(${target} PRIVATE "${_sae_fast_include}" "${_sae_fast_csrc}")
  target_compile_features(${target} PRIVATE cxx_std_17)
  target_compile_options(${target} PRIVATE ${_sae_fast_flags} ${ARGN})
  target_compile_definitions(${target} PRIVATE NDEBUG)
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON EXCLUDE_FROM_ALL ON
                        INTERPROCEDURAL_OPTIMIZATION OFF UNITY_BUILD OFF CXX_CLANG_TIDY "" CXX_EXTENSIONS OFF)
endfunction()

set(_sae_fast_objects)
set(_sae_fast_have)
foreach(_sae_fast_isa IN LISTS _sae_fast_isas)
  if(NOT _sae_fast_isa IN_LIST _sae_fast_known)
    set(sae_fast_NOT_FOUND_MESSAGE "SAE_FAST_ISAS must name some of ${_sae_fast_known}, got ${_sae_fast_isa}")
    set(sae_fast_FOUND FALSE)
    return()
  endif()
  # Without exceptions, an object refers to no personality routine: nothing weak for the linker to share.
  add_library(sae_fast_${_sae_fast_isa} OBJECT
              "${_sae_fast_csrc}/kernels/kernels_f32.cpp" "${_sae_fast_csrc}/kernels/kernels_f64.cpp")
  _sae_fast_compile(sae_fast_${_sae_fast_isa} -fno-exceptions ${_sae_fast_flags_${_sae_fast_isa}})
  target_compile_definitions(sae_fast_${_sae_fast_isa} PRIVATE SAE_FAST_ISA=${_sae_fast_isa})
  list(APPEND _sae_fast_objects $<TARGET_OBJECTS:sae_fast_${_sae_fast_isa}>)
  string(TOUPPER "SAE_FAST_HAVE_${_sae_fast_isa}" _sae_fast_name)
  list(APPEND _sae_fast_have ${_sae_fast_name})
endforeach()

file(GLOB _sae_fast_sources "${_sae_fast_csrc}/*/*.cpp")
list(FILTER _sae_fast_sources EXCLUDE REGEX "/kernels/[^/]*$")
add_library(sae_fast STATIC ${_sae_fast_sources} ${_sae_fast_objects})
add_library(sae_fast::sae_fast ALIAS sae_fast)
_sae_fast_compile(sae_fast)
target_compile_definitions(sae_fast PRIVATE ${_sae_fast_have})
target_compile_features(sae_fast INTERFACE cxx_std_17)
target_include_directories(sae_fast SYSTEM INTERFACE "${_sae_fast_include}")
# Each operation of the model-file reader rounds as Python's does.
file(GLOB _sae_fast_files "${_sae_fast_csrc}/files/*.cpp")
set_source_files_properties(${_sae_fast_files} PROPERTIES COMPILE_OPTIONS "-ffp-contract=off")
if(SAE_FAST_OPENMP)
  find_package(OpenMP QUIET COMPONENTS CXX)
  if(OpenMP_CXX_FOUND)
    target_link_libraries(sae_fast PUBLIC OpenMP::OpenMP_CXX)
  else()
    message(STATUS "sae_fast: the compiler has no OpenMP, so the core is built single-threaded")
  endif()
endif()
set(sae_fast_INCLUDE_DIR "${_sae_fast_include}")
