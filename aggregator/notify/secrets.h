// The secrets of a request, and answers without them: people who may not know a channel's secrets see what
// its receiver answers, and many servers repeat in an error the path or the headers they were asked with.
#pragma once

#include "aggregator/notify/endpoint.h"

#include <set>
#include <string>
#include <string_view>

namespace vigil::notify {

class Secrets {
 public:
  Secrets() = default;
  /// Of the URL its path, parts of it that are long enough to be a key, its query, and the password; values
  /// of headers; the login's password; and what the request names as secret.
  explicit Secrets(const Request& request);

  /// The same with "<secret>" for each, also where it is encoded as in a URL, HTML or JSON, or cut off.
  std::string cut_from(std::string_view text) const;

 private:
  void add(std::string_view secret, std::size_t least);
  void add_url(std::string_view url);
  void add_header(std::string_view header);
  void add_login(std::string_view login);

  std::set<std::string> all_;
};

}  // namespace vigil::notify
