# Most of the time of a compilation goes into the headers of libraries. Built from nothing, the sources of a target are therefore
# read several at a time, as one unit: a third of the time of one by one. The debug build is for editing and takes each file alone.
option(VIGIL_UNITY "Compile several sources as one unit" OFF)
set(CMAKE_UNITY_BUILD ${VIGIL_UNITY})
set(CMAKE_UNITY_BUILD_BATCH_SIZE 24)
if(VIGIL_UNITY)
  # It takes a source that a unit includes for a header.
  add_compile_options(-Wno-subobject-linkage)
endif()

# vigil_one_by_one(TARGET ...): these have files that give the same name to different things of their own, as collectors do with
# their tables of columns.
function(vigil_one_by_one)
  set_target_properties(${ARGV} PROPERTIES UNITY_BUILD OFF)
endfunction()
