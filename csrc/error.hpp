// The one exception kantor's C++ throws; the bindings translate it once.
#pragma once

#include <stdexcept>
#include <string>

namespace kantor {

enum class ErrorCode {
  kInvalidArgument,  // becomes kantor.errors.ProblemError
  kRuntime,          // becomes kantor.errors.BackendError
};

class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& detail, const char* file, int line)
      : std::runtime_error(code == ErrorCode::kRuntime ? located(detail, file, line) : detail), code_(code) {}

  ErrorCode code() const { return code_; }

 private:
  static std::string located(const std::string& detail, const char* file, int line) {
    const std::string path(file);
    return detail + " (" + path.substr(path.find_last_of("/\\") + 1) + ":" + std::to_string(line) + ")";
  }

  ErrorCode code_;
};

}  // namespace kantor

#define KANTOR_THROW(code, detail) throw ::kantor::Error(::kantor::ErrorCode::code, (detail), __FILE__, __LINE__)

// For what a caller got wrong; the text names the argument, what was got and what was expected.
#define KANTOR_REQUIRE(condition, detail)                       \
  do {                                                          \
    if (!(condition)) KANTOR_THROW(kInvalidArgument, (detail)); \
  } while (false)
