#include "aggregator/remote_write/receiver.h"

#include "tests/aggregator/remote_write/requests.h"
#include "tests/support/catch.h"

#include <condition_variable>
#include <mutex>
#include <optional>

using namespace vigil;
using namespace vigil::aggregator;
using namespace vigil::aggregator::remote_write;
using namespace vigil::aggregator::remote_write::testing;

namespace {

/// Answers as it is told to.
class FakeWriter : public LocalWriter {
 public:
  void write(LocalWrite write, LocalDone done) override {
    LocalWritten written = answer;
    if (!written.failed && written.stored == 0) written.stored = write.samples.size();
    writes.push_back(std::move(write));
    done(written);
  }
  LocalWritten answer;
  std::vector<LocalWrite> writes;
};

class Asked : public http::Exchange {
 public:
  void deliver(http::Response response) override {
    const std::lock_guard lock(mutex_);
    response_ = std::move(response);
    came_.notify_all();
  }
  bool client_gone() const override { return false; }
  http::Response wait() {
    std::unique_lock lock(mutex_);
    came_.wait(lock, [&] { return response_.has_value(); });
    return *response_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable came_;
  std::optional<http::Response> response_;
};

struct Fixture {
  explicit Fixture(const RemoteWriteConfig& config = {})
      : receiver(config, writer, registry, [] { return 1'000'000; }) {
    receiver.add_route(router);
    receiver.start();
  }
  http::Response post(std::string body, const std::string& type = "application/x-protobuf",
                      const std::string& encoding = "snappy") {
    const auto route = router.find("POST", "/api/v1/write");
    const auto& later = std::get<http::LaterHandler>(std::get<const http::Route*>(route)->handler);
    http::Request request;
    request.method = "POST";
    request.remote = "10.0.0.1:4711";
    request.headers = {{"content-type", type}, {"content-encoding", encoding}};
    request.body = std::move(body);
    const auto asked = std::make_shared<Asked>();
    later(std::move(request), http::Responder(asked));
    return asked->wait();
  }
  static std::string header(const http::Response& response, const std::string& name) {
    for (const auto& [key, value] : response.headers)
      if (key == name) return value;
    return {};
  }

  FakeWriter writer;
  self::Registry registry;
  http::Router router;
  Receiver receiver;
};

const std::vector<Sent> kTwo{{{{"__name__", "up"}, {"instance", "a"}}, {{1000, 1}, {2000, 0}}},
                             {{{"__name__", "up"}, {"instance", "b"}}, {{1500, 0.5}}}};

}  // namespace

TEST_CASE("a request becomes a write of each host and is answered with what was written") {
  Fixture f;
  const bool second = GENERATE(false, true);
  const auto response = second ? f.post(compressed(body_v2(kTwo)),
                                        "application/x-protobuf;proto=io.prometheus.write.v2.Request")
                               : f.post(compressed(body_v1(kTwo)));
  CHECK(response.status == 204);
  CHECK(response.body.empty());
  CHECK(f.header(response, "X-Prometheus-Remote-Write-Samples-Written") == "3");
  CHECK(f.header(response, "X-Prometheus-Remote-Write-Exemplars-Written") == "0");
  REQUIRE(f.writer.writes.size() == 2);
  CHECK(f.writer.writes[0].host == "remote_write/a");
  CHECK(f.writer.writes[0].out_of_order_ms == 7'200'000);
  CHECK(f.writer.writes[1].samples.size() == 1);
}

TEST_CASE("what cannot be stored is told, and the rest is stored") {
  Fixture f;
  f.writer.answer.stored = 1;
  f.writer.answer.too_old = 1;
  f.writer.answer.problem = "out of order: up";
  const auto response = f.post(compressed(body_v1(kTwo)));
  CHECK(response.status == 400);
  CHECK(response.body == "2 samples are stored, 2 are too old; the first: out of order: up\n");
  CHECK(f.header(response, "X-Prometheus-Remote-Write-Samples-Written") == "2");
  CHECK(f.header(response, "Retry-After").empty());
}

TEST_CASE("a request without a sound series is answered all the same") {
  Fixture f;
  const auto response = f.post(compressed(body_v1({{{{"job", "j"}}, {{1, 1}}}})));
  CHECK(response.status == 400);
  CHECK_THAT(response.body, Catch::Contains("a series without a name"));
  CHECK(f.post(compressed("")).status == 204);
}

TEST_CASE("what failed is to be sent again, a host that is not taken is not") {
  Fixture f;
  f.writer.answer.failed = Error{Errc::unavailable, "the disk is full"};
  auto response = f.post(compressed(body_v1(kTwo)));
  CHECK(response.status == 503);
  CHECK(f.header(response, "Retry-After") == "5");
  CHECK(f.header(response, "X-Prometheus-Remote-Write-Samples-Written") == "0");
  f.writer.answer.failed = Error{Errc::limit, "too many hosts"};
  response = f.post(compressed(body_v1(kTwo)));
  CHECK(response.status == 400);
  CHECK_THAT(response.body, Catch::Contains("3 are of more new series or hosts"));
}

TEST_CASE("wrong types, broken and oversized bodies have a status of their own") {
  RemoteWriteConfig config;
  config.max_uncompressed.count = 100;
  Fixture f(config);
  CHECK(f.post(compressed(body_v1(kTwo)), "application/json").status == 415);
  CHECK(f.post(compressed(body_v1(kTwo)), "application/x-protobuf", "gzip").status == 415);
  CHECK(f.post("!rubbish").status == 400);
  CHECK(f.post(compressed("\xFF\xFF")).status == 400);
  CHECK(f.post(compressed(std::string(101, '\0'))).status == 413);
  CHECK(f.writer.writes.empty());
}

TEST_CASE("a sender beyond its rate is told when to come again") {
  RemoteWriteConfig config;
  config.max_rate = 1;
  Fixture f(config);
  const std::vector<Sent> many(12, kTwo[1]);
  CHECK(f.post(compressed(body_v1(many))).status == 204);
  const auto response = f.post(compressed(body_v1(kTwo)));
  CHECK(response.status == 429);
  CHECK(f.header(response, "Retry-After") == "3");
}

TEST_CASE("native histograms are told, and the samples beside them are stored") {
  Fixture f;
  const std::string histogram = text(1, text(1, text(1, "__name__") + text(2, "h")) + text(4, number(1, 5)));
  const auto response = f.post(compressed(body_v1(kTwo) + histogram));
  CHECK(response.status == 400);
  CHECK(response.body == "3 samples are stored, 1 native histograms cannot be stored\n");
}

TEST_CASE("after the end of the receiver requests are told to come again") {
  Fixture f;
  f.receiver.stop();
  CHECK(f.post(compressed(body_v1(kTwo))).status == 503);
}
