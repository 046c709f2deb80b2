#include "agent/collectors/systemd_bus.h"

#include <dlfcn.h>
#include <sys/auxv.h>
#include <systemd/sd-bus.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

namespace vigil::agent {
namespace {

constexpr const char* kService = "org.freedesktop.systemd1";
constexpr const char* kManagerPath = "/org/freedesktop/systemd1";
constexpr std::size_t kMostUnits = 20'000;

/// The functions we use, found in the library by name.
struct LibSystemd {
  decltype(&::sd_bus_new) bus_new = nullptr;
  decltype(&::sd_bus_set_address) set_address = nullptr;
  decltype(&::sd_bus_set_bus_client) set_bus_client = nullptr;
  decltype(&::sd_bus_start) start = nullptr;
  decltype(&::sd_bus_close_unref) close_unref = nullptr;
  decltype(&::sd_bus_set_method_call_timeout) set_method_call_timeout = nullptr;
  decltype(&::sd_bus_call_method) call_method = nullptr;
  decltype(&::sd_bus_get_property) get_property = nullptr;
  decltype(&::sd_bus_message_enter_container) enter_container = nullptr;
  decltype(&::sd_bus_message_read) read = nullptr;
  decltype(&::sd_bus_message_unref) message_unref = nullptr;
  decltype(&::sd_bus_error_free) error_free = nullptr;
  bool complete = false;
};

/// A program without shared libraries must not load one: it would need the very libc it was linked with.
bool linked_statically() {
  return ::getauxval(AT_BASE) == 0;  // no dynamic linker
}

LibSystemd load_library() {
  LibSystemd lib;
  if (linked_statically()) return lib;
  void* const handle =
      ::dlopen("libsystemd.so.0", RTLD_NOW | RTLD_LOCAL);  // never closed: it keeps state of its threads
  if (handle == nullptr) return lib;
  lib.complete = true;
  const auto find = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(::dlsym(handle, name));
    lib.complete = lib.complete && function != nullptr;
  };
  find(lib.bus_new, "sd_bus_new");
  find(lib.set_address, "sd_bus_set_address");
  find(lib.set_bus_client, "sd_bus_set_bus_client");
  find(lib.start, "sd_bus_start");
  find(lib.close_unref, "sd_bus_close_unref");
  find(lib.set_method_call_timeout, "sd_bus_set_method_call_timeout");  // since systemd 240
  find(lib.call_method, "sd_bus_call_method");
  find(lib.get_property, "sd_bus_get_property");
  find(lib.enter_container, "sd_bus_message_enter_container");
  find(lib.read, "sd_bus_message_read");
  find(lib.message_unref, "sd_bus_message_unref");
  find(lib.error_free, "sd_bus_error_free");
  return lib;
}

const LibSystemd& library() {
  static const LibSystemd lib = load_library();
  return lib;
}

struct UnrefMessage {
  void operator()(sd_bus_message* message) const { library().message_unref(message); }
};
using Message = std::unique_ptr<sd_bus_message, UnrefMessage>;

/// What a negative return value of sd-bus means for the caller.
Error failure(int code, std::string_view what, const sd_bus_error* error = nullptr) {
  const char* const said = error != nullptr && error->message != nullptr ? error->message : "";
  switch (-code) {
    case ETIMEDOUT:
      return fail(Errc::timeout, "{}: systemd did not answer in time", what);
    case ECONNRESET:
    case ECONNREFUSED:
    case ENOTCONN:
    case EPIPE:
    case ESTALE:
    case EHOSTUNREACH:  // the bus is there, systemd is not on it
      return fail(Errc::unavailable, "{}: {} {}", what, fail_errno(-code, "D-Bus").message, said);
    case EBADMSG:
    case ENXIO:  // another type than we asked for
      return fail(Errc::parse, "{}: a reply that is not of the documented form", what);
    case EACCES:
    case EPERM:
      return fail(Errc::permission, "{}: {}", what, said);
    default:
      return fail(Errc::not_found, "{}: {} {}", what, fail_errno(-code, "D-Bus").message, said);
  }
}

/// A path as the value of a D-Bus address, in which most characters are written as %XX (D-Bus specification,
/// "Server Addresses").
std::string address_of(const std::string& path) {
  std::string address = "unix:path=";
  for (const char c : path) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                       c == '-' || c == '_' || c == '/' || c == '.';
    address += plain ? std::string(1, c) : fmt::format("%{:02x}", static_cast<unsigned char>(c));
  }
  return address;
}

}  // namespace

void SystemdBus::Close::operator()(sd_bus* bus) const {
  library().close_unref(bus);
}

Result<SystemdBus> SystemdBus::open(const std::string& socket_path, std::chrono::milliseconds timeout) {
  const LibSystemd& lib = library();
  if (!lib.complete)
    return fail(Errc::unsupported, "libsystemd.so.0 is not installed, or older than systemd 240");
  sd_bus* raw = nullptr;
  if (const int code = lib.bus_new(&raw); code < 0) return failure(code, "sd_bus_new");
  SystemdBus bus(raw);
  const auto usec = static_cast<std::uint64_t>(std::chrono::microseconds(timeout).count());
  int code = lib.set_address(raw, address_of(socket_path).c_str());
  if (code >= 0) code = lib.set_bus_client(raw, 1);
  if (code >= 0) code = lib.set_method_call_timeout(raw, usec);
  if (code >= 0) code = lib.start(raw);
  if (code == -ENOENT) return fail(Errc::unsupported, "{}: no D-Bus here", socket_path);
  if (code < 0) return failure(code, "connect to " + socket_path);
  return bus;
}

Result<std::vector<SystemdUnit>> SystemdBus::list_units() {
  const LibSystemd& lib = library();
  sd_bus_error error = SD_BUS_ERROR_NULL;
  sd_bus_message* raw = nullptr;
  // open() gave a bus only because the library is complete.
  // NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage)
  int code = lib.call_method(bus_.get(), kService, kManagerPath, "org.freedesktop.systemd1.Manager",
                             "ListUnits", &error, &raw, nullptr);
  const Message reply(raw);
  if (code < 0) {
    const Error failed = failure(code, "ListUnits", &error);
    lib.error_free(&error);
    return failed;
  }
  code = lib.enter_container(raw, 'a', "(ssssssouso)");
  if (code <= 0) return failure(-EBADMSG, "ListUnits");
  std::vector<SystemdUnit> units;
  while (units.size() < kMostUnits) {
    const char *name, *description, *load, *active, *sub, *following, *path, *job_type, *job_path;
    std::uint32_t job = 0;
    code = lib.read(raw, "(ssssssouso)", &name, &description, &load, &active, &sub, &following, &path, &job,
                    &job_type, &job_path);
    if (code < 0) return failure(-EBADMSG, "ListUnits");
    if (code == 0) break;
    units.push_back({name, load, active, sub, path});
  }
  return units;
}

/// `out` is what sd_bus_message_read wants for `type`. Strings are valid as long as the reply, so they go
/// through get_text.
Result<void> SystemdBus::get(const std::string& path, const char* interface, const char* property,
                             const char* type, void* out) {
  const LibSystemd& lib = library();
  const std::string full = std::string("org.freedesktop.systemd1.") + interface;
  sd_bus_error error = SD_BUS_ERROR_NULL;
  sd_bus_message* raw = nullptr;
  const int code =
      // NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): as above
      lib.get_property(bus_.get(), kService, path.c_str(), full.c_str(), property, &error, &raw, type);
  const Message reply(raw);
  if (code < 0) {
    const Error failed = failure(code, path + " " + property, &error);
    lib.error_free(&error);
    return failed;
  }
  if (type[0] == 's') {
    const char* text = nullptr;
    if (lib.read(raw, type, &text) <= 0) return failure(-EBADMSG, property);
    *static_cast<std::string*>(out) = text;
    return {};
  }
  if (lib.read(raw, type, out) <= 0) return failure(-EBADMSG, property);
  return {};
}

Result<std::string> SystemdBus::get_text(const std::string& path, const char* interface,
                                         const char* property) {
  std::string text;
  if (auto got = get(path, interface, property, "s", &text); !got) return got.error();
  return text;
}

Result<std::string> SystemdBus::manager_text(const char* property) {
  return get_text(kManagerPath, "Manager", property);
}

Result<std::string> SystemdBus::unit_text(const std::string& path, const char* interface,
                                          const char* property) {
  return get_text(path, interface, property);
}

Result<std::uint32_t> SystemdBus::unit_uint32(const std::string& path, const char* interface,
                                              const char* property) {
  std::uint32_t value = 0;
  if (auto got = get(path, interface, property, "u", &value); !got) return got.error();
  return value;
}

Result<std::uint64_t> SystemdBus::unit_uint64(const std::string& path, const char* interface,
                                              const char* property) {
  std::uint64_t value = 0;
  if (auto got = get(path, interface, property, "t", &value); !got) return got.error();
  return value;
}

}  // namespace vigil::agent
