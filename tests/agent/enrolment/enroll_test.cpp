#include "agent/enrolment/enroll.h"

#include "tests/agent/enrolment/enrolled_host.h"

namespace vigil::agent {

using namespace testing;

TEST_CASE("an aggregator is proved by its authority's fingerprint, its name and the clock") {
  const EnrolledHost host;
  const auto shown = host.shown();
  const std::string fingerprint = host.aggregator->own().fingerprint;
  const auto says = [](const Result<std::string>& refused, std::string_view part) {
    return !refused && refused.error().message.find(part) != std::string::npos;
  };
  CHECK(prove(shown, fingerprint, "mon.example.org", kStart).value() == shown[1]);
  CHECK(says(prove(shown, std::string(64, '0'), "mon.example.org", kStart), "Nothing was sent"));
  CHECK(says(prove({}, fingerprint, "mon.example.org", kStart), "Nothing was sent"));
  CHECK(says(prove({shown[0]}, fingerprint, "mon.example.org", kStart), "Nothing was sent"));
  CHECK(says(prove(shown, fingerprint, "mon", kStart), "--name mon"));
  CHECK(says(prove(shown, fingerprint, "mon.example.org", kStart - kDay), "clock"));
  CHECK(says(prove(shown, fingerprint, "mon.example.org", kStart + 366 * kDay), "clock"));
}

TEST_CASE("the authority's certificate alone proves nothing: it is no secret") {
  const EnrolledHost host;
  const EnrolledHost thief;
  const std::string fingerprint = host.aggregator->own().fingerprint;
  CHECK_FALSE(prove({thief.shown()[0], host.shown()[1]}, fingerprint, "mon.example.org", kStart));
  CHECK_FALSE(prove({host.shown()[1]}, fingerprint, "mon.example.org", kStart));
}

TEST_CASE("fingerprints are read as people paste them") {
  const std::string digits = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  std::string spaced;
  for (std::size_t i = 0; i < digits.size(); i += 2) spaced += (i == 0 ? "" : ":") + digits.substr(i, 2);
  for (char& c : spaced) c = c >= 'a' && c <= 'f' ? static_cast<char>(c - 'a' + 'A') : c;
  CHECK(parse_fingerprint("sha256:" + digits).value() == digits);
  CHECK(parse_fingerprint(digits).value() == digits);
  CHECK(parse_fingerprint(spaced).value() == digits);
  for (const std::string& wrong : std::vector<std::string>{"", "sha256:", digits.substr(1), digits + "0",
                                                           "md5:" + digits, std::string(64, 'g')})
    CHECK(parse_fingerprint(wrong).error().code == Errc::invalid_argument);
}

TEST_CASE("a host that is enrolled stays what it is, unless somebody insists") {
  const EnrolledHost host;
  EnrollOptions options{"127.0.0.1:1", std::string(40, 'a'), std::string(64, '0'), host.folder};
  const auto refused = enroll(options, kStart);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::conflict);
  CHECK(refused.error().message.find("--force") != std::string::npos);
  options.again = Again::allowed;
  CHECK(enroll(options, kStart).error().code == Errc::unavailable);  // it goes on: nobody listens there
  options.again = Again::refused;
  CHECK(enroll(options, kStart + 90 * kDay).error().code ==
        Errc::unavailable);  // what is over is in nobody's way
  CHECK(host.present().name == "web-1");
}

TEST_CASE("what is missing or no token is told before anybody is asked") {
  const test::TempDir dir;
  const EnrollOptions whole{"127.0.0.1:1", std::string(40, 'a'), std::string(64, '0'), dir.file("agent")};
  const auto refused = [&](auto change) {
    EnrollOptions options = whole;
    change(options);
    const auto said = enroll(options, kStart);
    REQUIRE_FALSE(said);
    CHECK(said.error().code == Errc::invalid_argument);
    return said.error().message;
  };
  CHECK_THAT(refused([](EnrollOptions& o) { o.aggregator.clear(); }), Catch::StartsWith("--aggregator is"));
  CHECK_THAT(refused([](EnrollOptions& o) { o.fingerprint.clear(); }), Catch::StartsWith("--fingerprint is"));
  CHECK_THAT(refused([](EnrollOptions& o) { o.token.clear(); }), Catch::StartsWith("--token is missing"));
  CHECK_THAT(refused([](EnrollOptions& o) { o.token.pop_back(); }), Catch::Contains("copied whole"));
  CHECK_THAT(refused([](EnrollOptions& o) { o.fingerprint.pop_back(); }),
             Catch::StartsWith("--fingerprint: must"));
}

TEST_CASE("enrolling if needed leaves an identity alone that is this host's and lasts") {
  const EnrolledHost host;
  EnrollOptions options{"127.0.0.1:1", std::string(40, 'a'), std::string(64, '0'), host.folder};
  options.again = Again::if_needed;
  CHECK_THAT(enroll(options, kStart).value(),
             Catch::StartsWith("enrolled already, as web-1"));  // nobody is there to ask
  options.name = "web-1";
  CHECK(enroll(options, kStart));
  options.token.clear();  // it needs none
  CHECK(enroll(options, kStart));
  options.token = std::string(40, 'a');
  options.name = "web-2";  // the disk is a copy
  CHECK(enroll(options, kStart).error().code == Errc::unavailable);
  options.name = "web-1";
  CHECK(enroll(options, kStart + 90 * kDay).error().code == Errc::unavailable);
}

}  // namespace vigil::agent
