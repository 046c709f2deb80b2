// The one error type of vigil. Everything that can be expected to fail (I/O, parsing, network, SQLite,
// configuration) returns Result<T>; broken invariants assert; nothing throws. Write `if (!r) return
// r.error();` and then `*r`.
#pragma once

#include <fmt/format.h>

#include <boost/system/result.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace vigil {

enum class Errc {
  invalid_argument,  // the caller's input is wrong: configuration, query, flag
  not_found,         // the file, host, series or rule does not exist
  unsupported,       // this kernel, daemon or version does not offer it; not a failure of the thing itself
  permission,        // the operating system refused
  parse,             // outside bytes did not have the documented form
  io,                // a system call failed
  corrupt,           // stored bytes fail their checksum or contradict themselves
  unavailable,       // a peer is away or refused; retrying may help
  timeout,           // a deadline passed
  limit,             // a documented bound was exceeded, or one of the system: room on the disk, open files
  conflict,          // another owner holds it
  internal,          // cannot happen; a bug
};

/// The stable lower-case name of a code, as it stands in logs and JSON.
std::string_view to_string(Errc code);

struct Error {
  Errc code = Errc::internal;
  std::string message;  // names the path, host, field or SQL, and what would be right
};

template <class T>
using Result = boost::system::result<T, Error>;

/// `return fail(Errc::parse, "{}:{}: expected a number", path, line);`
template <class... Args>
Error fail(Errc code, fmt::format_string<Args...> format, Args&&... args) {
  return Error{code, fmt::format(format, std::forward<Args>(args)...)};
}

/// The failure of a system call: "open /proc/stat: Permission denied", with the code that fits
/// `error_number`.
Error fail_errno(int error_number, std::string_view what);

/// `boost::system::result` calls this when value() is taken from an error: an invariant is broken, so it
/// aborts with the message.
[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location& where);

}  // namespace vigil
