# vigil_library(NAME SOURCES a.cpp ... [LINK lib ...] [PRIVATE lib ...]): a room of the house; sources are listed, never globbed.
# Headers of the standard library and fmt are precompiled once (vigil_pch) and reused by every library that asks.
add_library(vigil_pch OBJECT ${PROJECT_SOURCE_DIR}/cmake/pch.cpp)
target_link_libraries(vigil_pch PRIVATE vigil_options vigil_fmt)
target_precompile_headers(vigil_pch PRIVATE ${PROJECT_SOURCE_DIR}/cmake/pch.h)
# The same for hot libraries: g++ takes the level of optimization of each function from the precompiled headers, whatever the
# command line says, when it optimizes at link time.
add_library(vigil_pch_hot OBJECT EXCLUDE_FROM_ALL ${PROJECT_SOURCE_DIR}/cmake/pch.cpp)
target_link_libraries(vigil_pch_hot PRIVATE vigil_options vigil_fmt)
target_compile_options(vigil_pch_hot PRIVATE -O3)
target_precompile_headers(vigil_pch_hot PRIVATE ${PROJECT_SOURCE_DIR}/cmake/pch.h)

function(vigil_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK;PRIVATE" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC vigil_options vigil_fmt ${ARG_LINK} PRIVATE ${ARG_PRIVATE})
  target_precompile_headers(${name} REUSE_FROM vigil_pch)
endfunction()

# vigil_hot(TARGET ...): libraries whose loops run for each sample.
function(vigil_hot)
  if(NOT CMAKE_BUILD_TYPE STREQUAL "Release")
    return()
  endif()
  foreach(target ${ARGV})
    target_compile_options(${target} PRIVATE -O3)
    set_target_properties(${target} PROPERTIES PRECOMPILE_HEADERS_REUSE_FROM vigil_pch_hot)
  endforeach()
endfunction()

function(vigil_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE vigil_options ${ARG_LINK})
  if(VIGIL_STATIC)
    target_link_options(${name} PRIVATE -static-libstdc++ -static-libgcc)
  endif()
endfunction()

# vigil_static_program(NAME SOURCES ... LINK ...): the same program once more without any shared library, for systems whose libc is
# another: only in release builds, and only when it is asked for.
function(vigil_static_program name)
  if(NOT VIGIL_STATIC)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} EXCLUDE_FROM_ALL ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE vigil_options ${ARG_LINK})
  target_link_options(${name} PRIVATE -static-pie)
endfunction()

add_custom_target(tsan_tests)    # test programs of concurrent parts
add_custom_target(fuzz_targets)  # all fuzzers
add_custom_target(benches)       # all benchmark programs

# vigil_test(NAME SOURCES ... LINK ... [CONCURRENT]): one Catch2 program, one ctest entry. CONCURRENT ones also run under TSan.
function(vigil_test name)
  cmake_parse_arguments(ARG "CONCURRENT" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE vigil_options vigil_test_main ${ARG_LINK})
  target_precompile_headers(${name} REUSE_FROM vigil_test_main)
  target_compile_definitions(${name} PRIVATE VIGIL_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS unit TIMEOUT 1200)
  if(ARG_CONCURRENT)
    add_dependencies(tsan_tests ${name})
    set_tests_properties(${name} PROPERTIES LABELS "unit;concurrent")
  endif()
endfunction()

# vigil_bench(NAME SOURCES ... LINK ...): a program that measures one hot path and prints its figures.
function(vigil_bench name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} EXCLUDE_FROM_ALL ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE vigil_options ${ARG_LINK})
  add_dependencies(benches ${name})
endfunction()

# vigil_fuzz(NAME SOURCES ... LINK ...): with VIGIL_FUZZ a libFuzzer program, otherwise one that replays its corpus as a test.
function(vigil_fuzz name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(fuzz_${name} ${ARG_SOURCES})
  target_link_libraries(fuzz_${name} PRIVATE vigil_options ${ARG_LINK})
  add_dependencies(fuzz_targets fuzz_${name})
  if(VIGIL_FUZZ)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  else()
    target_sources(fuzz_${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests/fuzz/replay_main.cpp)
    add_test(NAME fuzz_${name} COMMAND fuzz_${name} ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name})
    set_tests_properties(fuzz_${name} PROPERTIES LABELS unit TIMEOUT 300)
  endif()
endfunction()
