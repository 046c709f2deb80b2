# clang-tidy with every compilation, for ./dev lint. Its time goes into the headers of libraries, so the sources of a target are
# read a dozen at a time, as one unit: a fifth of the time of one by one.
option(VIGIL_TIDY "Run clang-tidy with every compilation" OFF)
if(VIGIL_TIDY)
  find_program(CLANG_TIDY NAMES clang-tidy-14 clang-tidy REQUIRED)
  set(CMAKE_CXX_CLANG_TIDY ${CLANG_TIDY};--quiet)
  set(CMAKE_UNITY_BUILD ON)
  set(CMAKE_UNITY_BUILD_BATCH_SIZE 12)
  # clang-tidy looks for its settings above the file it is given, which is the unit.
  configure_file(${PROJECT_SOURCE_DIR}/tests/.clang-tidy ${PROJECT_BINARY_DIR}/tests/.clang-tidy COPYONLY)
endif()

# vigil_lint_one_by_one(TARGET ...): these have files that give the same name to different things of their own, as collectors
# do with their tables of columns.
function(vigil_lint_one_by_one)
  set_target_properties(${ARGV} PROPERTIES UNITY_BUILD OFF)
endfunction()
