# Writes OUTPUT, a C++ string that names this compiler: a hash of the text of
# every source that code depends on (FILES, below ROOT) and of LLVM's version.
#   cmake -DROOT=... -DFILES=... -DLLVM=... -DOUTPUT=... -P BuildId.cmake
set(all "${LLVM}\n")
foreach(file ${FILES})
  file(SHA256 ${file} hash)
  file(RELATIVE_PATH name ${ROOT} ${file})
  string(APPEND all "${name} ${hash}\n")
endforeach()
string(SHA256 id "${all}")
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT "\"${id}\"\n" @ONLY)
