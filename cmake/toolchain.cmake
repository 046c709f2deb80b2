# Compiler cache, linker, warnings and sanitizers: what is the same for every target.

find_program(CCACHE ccache)
if(CCACHE)
  # Precompiled headers need the first two sloppinesses; base_dir and no hash_dir let two checkouts share objects.
  set(launcher ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
endif()

find_program(MOLD mold)
find_program(LLD ld.lld)
if(NOT CMAKE_BUILD_TYPE STREQUAL "Release")  # LTO wants the linker of the compiler
  if(LLD)
    add_link_options(-fuse-ld=lld)
  elseif(MOLD)
    add_link_options(-fuse-ld=mold)
  endif()
endif()

add_compile_options(-pthread)  # everywhere, or precompiled headers do not match
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # The compiler collects its garbage at 128 MB by default, which the headers of gRPC and Beast fill again and again; most sources
  # end below 700 MB. A fifth to a quarter of the time of a compilation.
  add_compile_options(--param=ggc-min-heapsize=1048576)
  add_link_options(--param=ggc-min-heapsize=1048576)
endif()
add_library(vigil_options INTERFACE)
target_include_directories(vigil_options INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
target_compile_options(vigil_options INTERFACE -Wall -Wextra -Werror $<$<CXX_COMPILER_ID:GNU>:-Wshadow=local>
  -Wnon-virtual-dtor $<$<CXX_COMPILER_ID:Clang>:-Wreserved-identifier>
  $<$<CXX_COMPILER_ID:GNU>:-Wno-psabi>)
if(VIGIL_SANITIZE)
  add_compile_options(-fsanitize=${VIGIL_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${VIGIL_SANITIZE})
  if(VIGIL_SANITIZE MATCHES "undefined" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # They look at every pointer that is followed, which is a third of the time of a compilation. The address sanitizer sees null
    # and what is out of bounds; the fuzz targets, which clang builds, look at alignment, too.
    add_compile_options(-fno-sanitize=null,alignment,object-size)
  endif()
  if(VIGIL_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Asio's fences, of which the sanitizer sees the atomics around them only; and what it adds hides from the compiler that
    # a variant was set.
    add_compile_options(-Wno-tsan -Wno-maybe-uninitialized)
  endif()
endif()
if(VIGIL_FUZZ)  # coverage of every library guides the fuzzer
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
  set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")  # what runs for each sample asks for more: vigil_hot
  add_compile_options(-ffunction-sections -fdata-sections)
  add_link_options(-Wl,--gc-sections -Wl,--as-needed -Wl,-z,relro,-z,now -flto=auto -Werror=odr)
endif()
