# How nibble's targets are built: flags, LLVM and MLIR as static archives, one
# precompiled header for everything that includes MLIR.

find_package(MLIR REQUIRED CONFIG)
find_package(Threads REQUIRED)

# -fPIC for programs too, not -fPIE: the precompiled header serves both.
add_compile_options(-fPIC -Wall -Wextra -Wno-unused-parameter -fno-semantic-interposition
                    -ffunction-sections -fdata-sections)
add_link_options(-fuse-ld=lld -Wl,--gc-sections -Wl,--as-needed)

# Debian's MLIR targets name libMLIR.so and libLLVM.so in their link interface,
# and mixing those with the archives registers every LLVM option twice. So the
# archives are linked by path, in one group; --gc-sections drops what is unused.
file(GLOB NIBBLE_MLIR_ARCHIVES ${LLVM_LIBRARY_DIR}/libMLIR*.a)
list(FILTER NIBBLE_MLIR_ARCHIVES EXCLUDE REGEX "libMLIR(CAPI|Test|Python)")
execute_process(
  COMMAND ${LLVM_TOOLS_BINARY_DIR}/llvm-config --link-static --libfiles
          core support irreader passes nvptx x86 orcjit target targetparser
  OUTPUT_VARIABLE llvmArchives OUTPUT_STRIP_TRAILING_WHITESPACE
  COMMAND_ERROR_IS_FATAL ANY)
separate_arguments(NIBBLE_LLVM_ARCHIVES UNIX_COMMAND "${llvmArchives}")

# LLVM's Support alone (JSON, command lines, files), for layers without MLIR.
add_library(NibbleLLVMSupport INTERFACE)
target_include_directories(NibbleLLVMSupport SYSTEM INTERFACE ${LLVM_INCLUDE_DIRS})
target_link_libraries(NibbleLLVMSupport INTERFACE
  ${LLVM_LIBRARY_DIR}/libLLVMSupport.a ${LLVM_LIBRARY_DIR}/libLLVMDemangle.a
  -l:libz.a -l:libzstd.a Threads::Threads ${CMAKE_DL_LIBS} m)

add_library(NibbleLLVM INTERFACE)
target_include_directories(NibbleLLVM SYSTEM INTERFACE ${MLIR_INCLUDE_DIRS} ${LLVM_INCLUDE_DIRS})
target_compile_definitions(NibbleLLVM INTERFACE _GNU_SOURCE __STDC_CONSTANT_MACROS
                           __STDC_FORMAT_MACROS __STDC_LIMIT_MACROS)
target_link_libraries(NibbleLLVM INTERFACE
  -Wl,--start-group ${NIBBLE_MLIR_ARCHIVES} ${NIBBLE_LLVM_ARCHIVES} -Wl,--end-group
  -l:libz.a -l:libzstd.a Threads::Threads ${CMAKE_DL_LIBS} m)

# nibble_add_library(NibbleX sources... LINK libs... [MLIR])
# One layer of nibble as a static library. MLIR says that its sources include
# MLIR or LLVM: they share one precompiled header, without which a file takes
# half a minute.
function(nibble_add_library name)
  cmake_parse_arguments(arg "MLIR" "" "LINK" ${ARGN})
  add_library(${name} STATIC ${arg_UNPARSED_ARGUMENTS})
  target_include_directories(${name} PUBLIC
    ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/lib
    ${PROJECT_SOURCE_DIR}/dialects ${PROJECT_BINARY_DIR}/dialects)
  target_link_libraries(${name} PUBLIC ${arg_LINK})
  if(arg_MLIR)
    target_link_libraries(${name} PUBLIC NibbleLLVM)
    target_precompile_headers(${name} REUSE_FROM NibblePch)
  endif()
endfunction()

# The owner of the precompiled header; it has no code of its own.
file(WRITE ${CMAKE_BINARY_DIR}/pch/NibblePch.cpp "// The precompiled header's owner.\n")
add_library(NibblePch STATIC ${CMAKE_BINARY_DIR}/pch/NibblePch.cpp)
target_link_libraries(NibblePch PUBLIC NibbleLLVM)
target_precompile_headers(NibblePch PRIVATE ${PROJECT_SOURCE_DIR}/cmake/MlirPch.h)

# nibble_tablegen(input.td output -gen-...)
# One file that mlir-tblgen generates into this folder of the build tree; its
# path is appended to NIBBLE_TABLEGEN_OUTPUT.
find_program(NIBBLE_MLIR_TBLGEN mlir-tblgen HINTS ${LLVM_TOOLS_BINARY_DIR} NO_DEFAULT_PATH REQUIRED)
function(nibble_tablegen input output)
  set(out ${CMAKE_CURRENT_BINARY_DIR}/${output})
  add_custom_command(OUTPUT ${out}
    COMMAND ${NIBBLE_MLIR_TBLGEN} ${ARGN} -I ${PROJECT_SOURCE_DIR}/dialects
            -I ${MLIR_INCLUDE_DIRS} ${CMAKE_CURRENT_SOURCE_DIR}/${input}
            -o ${out} -d ${out}.d
    DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${input} DEPFILE ${out}.d
    COMMENT "TableGen ${output}")
  set(NIBBLE_TABLEGEN_OUTPUT ${NIBBLE_TABLEGEN_OUTPUT} ${out} PARENT_SCOPE)
endfunction()
