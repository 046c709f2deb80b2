# clang-tidy with every compilation, for ./dev lint.
option(VIGIL_TIDY "Run clang-tidy with every compilation" OFF)
if(VIGIL_TIDY)
  find_program(CLANG_TIDY NAMES clang-tidy-14 clang-tidy REQUIRED)
  set(CMAKE_CXX_CLANG_TIDY ${CLANG_TIDY};--quiet)
  set(CMAKE_UNITY_BUILD ON)
  set(CMAKE_UNITY_BUILD_BATCH_SIZE 12)
  # clang-tidy looks for its settings above the file it is given, which is the unit.
  configure_file(${PROJECT_SOURCE_DIR}/tests/.clang-tidy ${PROJECT_BINARY_DIR}/tests/.clang-tidy COPYONLY)
endif()
