#include "common/error.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>

namespace vigil {

std::string_view to_string(Errc code) {
  switch (code) {
    case Errc::invalid_argument:
      return "invalid_argument";
    case Errc::not_found:
      return "not_found";
    case Errc::unsupported:
      return "unsupported";
    case Errc::permission:
      return "permission";
    case Errc::parse:
      return "parse";
    case Errc::io:
      return "io";
    case Errc::corrupt:
      return "corrupt";
    case Errc::unavailable:
      return "unavailable";
    case Errc::timeout:
      return "timeout";
    case Errc::limit:
      return "limit";
    case Errc::conflict:
      return "conflict";
    case Errc::internal:
      return "internal";
  }
  return "internal";
}

Error fail_errno(int error_number, std::string_view what) {
  Errc code = Errc::io;
  switch (error_number) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
    case ESRCH:
      code = Errc::not_found;
      break;
    case EACCES:
    case EPERM:
      code = Errc::permission;
      break;
    case EOPNOTSUPP:
    case ENOSYS:
      code = Errc::unsupported;
      break;
    case ETIMEDOUT:
      code = Errc::timeout;
      break;
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
    case EAGAIN:
      code = Errc::unavailable;
      break;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
      code = Errc::limit;
      break;
    default:
      break;
  }
  return Error{code, fmt::format("{}: {}", what, std::generic_category().message(error_number))};
}

void throw_exception_from_error(const Error& error, const boost::source_location& where) {
  std::fprintf(stderr, "%s:%u: value() of an error: %s\n", where.file_name(),
               static_cast<unsigned>(where.line()), error.message.c_str());
  std::abort();
}

}  // namespace vigil
