// What a receiver answers is shown without what it was asked with.
#include "aggregator/notify/secrets.h"

#include "common/text/base64.h"
#include "tests/support/catch.h"

using namespace vigil;
using notify::Request;
using notify::Secrets;

namespace {

Request request() {
  Request out;
  out.url = "https://user:p%40ssword@hooks.example.org/services/T0/x8Yk%2Fq&z?key=canary7f3a&to=ops";
  out.headers = {"Content-Type: application/json", "X-Key: h3ader\"value",
                 "Authorization: Bearer t0ken/of+it=="};
  out.secrets = {"routing-key-1"};
  return out;
}

}  // namespace

TEST_CASE("An answer that repeats what it was asked with is shown without it") {
  const Secrets secrets(request());
  const auto shown = [&](std::string_view answer) { return secrets.cut_from(answer); };
  CHECK(shown("Cannot POST /services/T0/x8Yk%2Fq&z") == "Cannot POST <secret>");
  CHECK(shown("no route for /services/T0/x8Yk%2fq&amp;z?key=canary7f3a&amp;to=ops.") ==
        "no route for <secret>.");
  CHECK(shown("/services/T0/x8Yk/q&#38;z and x8Yk/q\\u0026z and x8Yk%252Fq%26z") ==
        "<secret> and <secret> and <secret>");
  CHECK(shown(R"({"path":"\/services\/T0\/x8Yk%2Fq&z"})") == R"({"path":"<secret>"})");
  CHECK(shown("key CANARY7F3A is unknown") == "key <secret> is unknown");
  CHECK(shown("X-Key: h3ader&quot;value, h3ader\\\"value, h3ader&#x22;value") ==
        "X-Key: <secret>, <secret>, <secret>");
  CHECK(shown("authorization: Bearer t0ken/of+it==; t0ken%2Fof%2Bit%3D%3D") ==
        "authorization: <secret>; <secret>");
  CHECK(shown("login p@ssword, p%40ssword, Basic " + base64("user:p@ssword")) ==
        "login <secret>, <secret>, Basic <secret>");
  CHECK(shown("no integration routing-key-1") == "no integration <secret>");
}

TEST_CASE("A secret that is cut off is not shown either, and ordinary words are") {
  const Secrets secrets(request());
  CHECK(secrets.cut_from("Cannot POST /services/T0/x8…") == "Cannot POST <secret>…");
  CHECK(secrets.cut_from("Cannot POST /serv") == "Cannot POST <secret>");
  CHECK(secrets.cut_from("key=canary7f3a&amp;t") == "<secret>");
  for (const char* text : {"", "ok", "invalid application/json", "ops is not to be found", "HTTP 404: T0"})
    CHECK(secrets.cut_from(text) == text);
  CHECK(Secrets().cut_from("anything") == "anything");
}
