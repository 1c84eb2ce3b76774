// Which instruction sets this build holds, which of them this processor has, and which one is in use.
#include <atomic>

#include "cpu_isa.hpp"
#include "error.hpp"

namespace kantor {

// CMake defines KANTOR_HAVE_... for each table it builds (cmake/KantorIsa.cmake).
extern const IsaTable kIsa_native;
extern const IsaTable kIsa_baseline;
extern const IsaTable kIsa_avx2;
extern const IsaTable kIsa_avx512;

namespace {

std::vector<const IsaTable*> runnable() {
  std::vector<const IsaTable*> tables;
#if defined(KANTOR_HAVE_NATIVE)
  tables.push_back(&kIsa_native);
#else
  tables.push_back(&kIsa_baseline);
#endif
#if defined(KANTOR_HAVE_AVX2)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) tables.push_back(&kIsa_avx2);
  if (tables.back() == &kIsa_avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw"))
    tables.push_back(&kIsa_avx512);
#endif
  return tables;
}

std::atomic<const IsaTable*>& chosen() {
  static std::atomic<const IsaTable*> table(isa_tables().back());
  return table;
}

}  // namespace

const std::vector<const IsaTable*>& isa_tables() {
  static const std::vector<const IsaTable*> tables = runnable();
  return tables;
}

const IsaTable& isa() { return *chosen().load(std::memory_order_relaxed); }

void choose_isa(const std::string& name) {
  std::string known;
  for (const IsaTable* table : isa_tables()) {
    if (name == table->name) {
      chosen().store(table, std::memory_order_relaxed);
      return;
    }
    known += (known.empty() ? "" : ", ") + std::string(table->name);
  }
  KANTOR_THROW(kInvalidArgument, "isa: got '" + name + "', expected one of: " + known);
}

}  // namespace kantor
