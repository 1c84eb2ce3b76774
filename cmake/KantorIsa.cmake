# kantor_add_isas(target source): compile one source once per instruction set, for the choice at run time (csrc/isa.cpp).
# Sets KANTOR_ISAS to the list of them.

set(KANTOR_ISAS baseline)
set(isa_flags_avx2 -mavx2 -mfma)
set(isa_flags_avx512 -mavx2 -mfma -mavx512f -mavx512vl -mavx512dq -mavx512bw -mprefer-vector-width=512)
if(KANTOR_NATIVE)
  set(KANTOR_ISAS native)
  set(isa_flags_native -march=native)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$" AND CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang"
       AND NOT CMAKE_OSX_ARCHITECTURES MATCHES "arm64")
  list(APPEND KANTOR_ISAS avx2 avx512)
endif()

function(kantor_add_isas target source)
  foreach(isa ${KANTOR_ISAS})
    add_library(${target}_${isa} OBJECT ${source})
    target_link_libraries(${target}_${isa} PRIVATE kantor_flags)
    target_compile_definitions(${target}_${isa} PRIVATE KANTOR_ISA=${isa})
    target_compile_options(${target}_${isa} PRIVATE ${isa_flags_${isa}})
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:${target}_${isa}>)
    string(TOUPPER ${isa} upper)
    target_compile_definitions(${target} PRIVATE KANTOR_HAVE_${upper})
  endforeach()
endfunction()
