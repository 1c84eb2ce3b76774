# The interface target kantor_sanitizer carries the flags of KANTOR_SANITIZER.

add_library(kantor_sanitizer INTERFACE)
if(KANTOR_SANITIZER STREQUAL "address")
  set(sanitizer_flags -fsanitize=address,undefined -fno-sanitize-recover=all)
elseif(KANTOR_SANITIZER STREQUAL "thread")
  set(sanitizer_flags -fsanitize=thread)
elseif(NOT KANTOR_SANITIZER STREQUAL "OFF")
  message(FATAL_ERROR "KANTOR_SANITIZER is '${KANTOR_SANITIZER}', expected OFF, address or thread")
endif()
if(sanitizer_flags)
  target_compile_options(kantor_sanitizer INTERFACE ${sanitizer_flags} -fno-omit-frame-pointer -g)
  target_link_options(kantor_sanitizer INTERFACE ${sanitizer_flags})
endif()
