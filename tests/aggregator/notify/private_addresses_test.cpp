#include "aggregator/notify/private_addresses.h"

#include "tests/support/catch.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstdlib>
#include <string>

using namespace vigil::notify;

namespace {

bool judged(const std::string& text) {
  sockaddr_in6 six{};
  six.sin6_family = AF_INET6;
  if (::inet_pton(AF_INET6, text.c_str(), &six.sin6_addr) == 1) {
    CHECK(address_text(reinterpret_cast<const sockaddr&>(six)) == text);
    return is_private(reinterpret_cast<const sockaddr&>(six));
  }
  sockaddr_in four{};
  four.sin_family = AF_INET;
  REQUIRE(::inet_pton(AF_INET, text.c_str(), &four.sin_addr) == 1);
  CHECK(address_text(reinterpret_cast<const sockaddr&>(four)) == text);
  return is_private(reinterpret_cast<const sockaddr&>(four));
}

}  // namespace

TEST_CASE("private addresses are known by their blocks, to the last one") {
  for (const char* text : {"0.0.0.0",
                           "10.0.0.0",
                           "10.255.255.255",
                           "100.64.0.1",
                           "100.127.255.255",
                           "127.0.0.1",
                           "169.254.169.254",
                           "172.16.0.1",
                           "172.31.255.255",
                           "192.168.0.1",
                           "224.0.0.1",
                           "255.255.255.255",
                           "::",
                           "::1",
                           "fe80::1",
                           "fc00::1",
                           "fdff::1",
                           "ff02::1",
                           "fec0::1",
                           "::ffff:10.0.0.1",
                           "64:ff9b::a00:1"}) {
    INFO(text);
    CHECK(judged(text));
  }
  for (const char* text :
       {"1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.0.0.1", "128.0.0.1",
        "169.253.0.1", "172.15.255.255", "172.32.0.0", "192.167.0.1", "192.169.0.1", "223.255.255.255",
        "2001:db8::1", "2606:4700::1111", "::ffff:8.8.8.8", "fbff::1"}) {
    INFO(text);
    CHECK_FALSE(judged(text));
  }
}

TEST_CASE("what is written may be private: an address, localhost, and what proves who it is") {
  for (const char* name : {"http_proxy", "all_proxy", "ALL_PROXY"}) ::unsetenv(name);
  for (const char* url : {"http://127.0.0.1:8080/x", "http://10.1.2.3/", "http://[::1]/", "http://[fe80::1]/",
                          "http://localhost:9/", "https://chat.corp/", "http://user:pw@192.168.1.1/"}) {
    INFO(url);
    CHECK(may_be_private(url));
  }
  for (const char* url : {"http://chat.corp/", "http://metadata/", "http://127.0.0.1.example.org/",
                          "http://10.1.2.3@evil.example/", "http://localhost.evil.example/", "no url"}) {
    INFO(url);
    CHECK_FALSE(may_be_private(url));
  }
}

TEST_CASE("behind a proxy names are the proxy's matter, but those it is not asked for") {
  ::setenv("http_proxy", "http://proxy.corp:3128", 1);
  ::unsetenv("no_proxy");
  ::unsetenv("NO_PROXY");
  CHECK(may_be_private("http://chat.example/"));
  ::setenv("NO_PROXY", "corp, .example.org,example.net", 1);
  CHECK(may_be_private("http://chat.example/"));
  CHECK(may_be_private("http://notcorp/"));
  CHECK(may_be_private("http://myexample.net/"));
  for (const char* url : {"http://corp/", "http://chat.CORP/", "http://example.org/",
                          "http://a.b.example.org:9/", "http://chat.example.net/"}) {
    INFO(url);
    CHECK_FALSE(may_be_private(url));
  }
  ::setenv("no_proxy", "*", 1);  // the lower case one counts
  CHECK_FALSE(may_be_private("http://chat.example/"));
  for (const char* name : {"http_proxy", "no_proxy", "NO_PROXY"}) ::unsetenv(name);
}
