# The module _cuda, if KANTOR_CUDA and the machine allow it. Sets cuda_state for the summary.

if(NOT KANTOR_CUDA MATCHES "^(AUTO|ON|OFF)$")
  message(FATAL_ERROR "KANTOR_CUDA is '${KANTOR_CUDA}', expected AUTO, ON or OFF")
endif()

# What the cupy backend compiles at run time (csrc/cuda/entry_points.hpp), with or without the module.
install(FILES csrc/types.hpp csrc/pointwise.hpp DESTINATION kantor/_csrc)
set(run_time_headers block.hpp row_buckets.hpp product_body.hpp pdhg_steps.hpp vector_bodies.hpp entry_points.hpp)
list(TRANSFORM run_time_headers PREPEND csrc/cuda/)
install(FILES ${run_time_headers} DESTINATION kantor/_csrc/cuda)

if(KANTOR_CUDA STREQUAL "OFF")
  return()
endif()

include(CheckLanguage)
# Architectures belong to the user or a preset; these two are the default: A100 and H100/H200.
if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES AND NOT DEFINED ENV{CUDAARCHS})
  set(CMAKE_CUDA_ARCHITECTURES 80 90)
endif()
check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
  if(KANTOR_CUDA STREQUAL "ON")
    message(FATAL_ERROR "KANTOR_CUDA=ON, but no CUDA compiler was found; put nvcc on PATH or set CUDACXX")
  endif()
  set(cuda_state "off (no nvcc)")
  return()
endif()

enable_language(CUDA)
set(CMAKE_CUDA_STANDARD 17)
set(CMAKE_CUDA_STANDARD_REQUIRED ON)
set(CMAKE_CUDA_RUNTIME_LIBRARY Static)  # the module must load on machines without a driver and say so politely
set(CMAKE_CUDA_VISIBILITY_PRESET hidden)
find_package(CUDAToolkit REQUIRED)
file(GLOB cuda_sources CONFIGURE_DEPENDS csrc/cuda/*.cu csrc/cuda/*.cpp)
pybind11_add_module(_cuda MODULE NO_EXTRAS ${cuda_sources})
target_include_directories(_cuda PRIVATE csrc)
# No contraction to fused multiply-add but where a kernel asks for it: the device rounds as the host tests do.
target_compile_options(_cuda PRIVATE
  $<$<COMPILE_LANGUAGE:CUDA>:--fmad=false -Xcompiler=-Wall,-Wextra>
  $<$<COMPILE_LANG_AND_ID:CXX,GNU,Clang>:-Wall -Wextra>)
list(JOIN CMAKE_CUDA_ARCHITECTURES "," architectures)
target_compile_definitions(_cuda PRIVATE KANTOR_VERSION="${PROJECT_VERSION}" KANTOR_CUDA_ARCHITECTURES="${architectures}")
target_link_libraries(_cuda PRIVATE CUDA::cudart_static)
kantor_place(_cuda)
set(cuda_state "${CMAKE_CUDA_COMPILER_VERSION}, architectures ${CMAKE_CUDA_ARCHITECTURES}")
