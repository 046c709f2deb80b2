// What the gatekeeper costs: a decision about a caller by each way of showing who he is, as HTTP requests
// have it; what the guard adds to a call over gRPC; and the second's question about streams. Figures are
// CPU nanoseconds of this process.
#include "aggregator/access/call_guard.h"
#include "aggregator/access/open_streams.h"
#include "aggregator/access/secrets.h"
#include "aggregator/identity/fence.h"
#include "aggregator/identity/init.h"
#include "common/clock.h"
#include "common/log/log.h"
#include "tests/aggregator/access/endless_query.h"

#include <grpcpp/grpcpp.h>
#include <time.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace vigil;
using namespace vigil::aggregator;
using access::Place;
using access::Presented;

constexpr int kTokens = 1000;
constexpr int kStreams = 16;  // as many as one connection may have
const access::Actor kRoot{access::Caller::Kind::socket, "", ""};

double cpu_ns() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

/// The least of five rounds: whatever else runs on the machine only adds.
template <class Work>
double cost(int times, const Work& work) {
  double best = 0;
  for (int round = 0; round < 5; ++round) {
    const double began = cpu_ns();
    for (int i = 0; i < times; ++i) work();
    const double took = (cpu_ns() - began) / times;
    if (round == 0 || took < best) best = took;
  }
  return best;
}

void print(const char* what, double ns) {
  std::printf("%-60s %12.0f ns\n", what, ns);
}

struct Doors {
  explicit Doors(const std::string& folder)
      : file(access::AccessFile::open(folder + "/access.db").value()),
        audit(*file, wall_ms),
        accounts(access::Accounts::load(*file, audit, wall_ms).value()) {
    for (int i = 0; i < kTokens; ++i) {
      access::Token token;
      token.name = fmt::format("token-{}", i);
      token.role = access::Role::viewer;
      tokens.push_back(accounts->create_token(token, kRoot).value());
    }
    (void)accounts->put_user({"ada", *access::hash_password("correct horse"), access::Role::viewer, true},
                             kRoot);
    access::AccessConfig config;
    config.max_requests = 1'000'000'000;
    gatekeeper = std::make_unique<access::Gatekeeper>(access::Gatekeeper::Options{config, true, wall_ms},
                                                      *accounts, registry);
  }

  self::Registry registry;
  std::unique_ptr<access::AccessFile> file;
  access::Audit audit;
  std::unique_ptr<access::Accounts> accounts;
  std::unique_ptr<access::Gatekeeper> gatekeeper;
  std::vector<std::string> tokens;
};

/// A port with the guard, or without one.
struct Port {
  explicit Port(access::Gatekeeper* gatekeeper) {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0",
                             gatekeeper == nullptr ? grpc::InsecureServerCredentials()
                                                   : access::plain_credentials(*gatekeeper, Place::away),
                             &port);
    if (gatekeeper != nullptr) {
      streams = std::make_unique<access::OpenStreams>(*gatekeeper);
      std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> interceptors;
      interceptors.push_back(streams->noting());
      builder.experimental().SetInterceptorCreators(std::move(interceptors));
    }
    builder.RegisterService(&service);
    server = builder.BuildAndStart();
    stub = v1::Query::NewStub(
        grpc::CreateChannel(fmt::format("127.0.0.1:{}", port), grpc::InsecureChannelCredentials()));
  }
  ~Port() { server->Shutdown(std::chrono::system_clock::now()); }

  void call(const std::string& token) const {
    grpc::ClientContext context;
    context.AddMetadata("authorization", "Bearer " + token);
    v1::QueryResult result;
    if (!stub->Instant(&context, {}, &result).ok()) std::abort();
  }

  std::unique_ptr<access::OpenStreams> streams;
  access::EndlessQuery service{access::EndlessQuery::Sends::once, 1};
  std::unique_ptr<grpc::Server> server;
  std::unique_ptr<v1::Query::Stub> stub;
};

void measure_decisions(Doors& doors) {
  const auto decide = [&doors](const char* what, const Presented& presented, const access::Need& need) {
    print(what, cost(100'000, [&] {
            if (doors.gatekeeper->check(presented, need).answer != access::Verdict::Answer::yes) std::abort();
          }));
  };
  const std::string source = "192.0.2.1";
  decide("nothing shown, on loopback", {Place::loopback, source, "", std::nullopt}, access::kViewer);
  decide("a token, one of 1,000", {Place::away, source, "Bearer " + doors.tokens[500], std::nullopt},
         access::kViewer);
  const Presented basic{Place::away, source, "Basic YWRhOmNvcnJlY3QgaG9yc2U=", std::nullopt};
  std::promise<void> looked_at;
  doors.gatekeeper->check_slowly(basic, access::kViewer,
                                 [&looked_at](const access::Verdict&) { looked_at.set_value(); });
  looked_at.get_future().get();
  decide("a password, looked at in the last five minutes", basic, access::kViewer);
  decide("a person's certificate, names read",
         {Place::away, source, "", access::CertificateNames{"ada", {"vigil:person:ada"}}}, access::kViewer);
  decide("a host's certificate, names read: a stream of samples",
         {Place::away, source, "", access::CertificateNames{"web-1", {"vigil:host:web-1"}}}, access::kAgent);
  print("before a request: where an address belongs, and its Host", cost(100'000, [] {
          if (access::source_of("192.0.2.1:4711").empty() || !access::names_loopback("localhost:8461"))
            std::abort();
        }));
}

void measure_certificates(const std::string& folder) {
  const auto made = identity::set_up(folder, {"localhost"}, {}, {wall_ms(), identity::Lives{}.server});
  if (!made) std::abort();
  const auto authority = identity::Authority::open({folder, {}, wall_ms}).value();
  const auto request = tls::make_request(tls::make_key().value(), "ada").value();
  std::vector<std::string> pems;  // more than the authority remembers
  for (int i = 0; i < 1'100; ++i)
    pems.push_back(authority->issue_person("ada", request, {}).value().certificate);
  std::size_t next = 0;
  print("whether a certificate counts: its first call", cost(static_cast<int>(pems.size()), [&] {
          const std::string& pem = pems[next++ % pems.size()];
          if (!identity::may_call(authority.get(), pem, "/vigil.v1.Query/Instant", wall_ms())) std::abort();
        }));
  const auto ask = [&](const char* what, const char* method) {
    print(what, cost(20'000, [&] {
            if (!identity::may_call(authority.get(), pems.back(), method, wall_ms())) std::abort();
          }));
  };
  ask("whether a certificate counts: a call after that", "/vigil.v1.Query/Instant");
  ask("whether a certificate counts: a stream of samples", "/vigil.v1.Ingest/Stream");
}

void measure_calls(Doors& doors) {
  const std::string& token = doors.tokens[500];
  const Port open(nullptr);
  const Port guarded(doors.gatekeeper.get());
  print("a call over gRPC, client and server, without a guard", cost(5'000, [&] { open.call(token); }));
  print("the same with the guard, by a token", cost(5'000, [&] { guarded.call(token); }));

  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::WatchUpdate>>> readers;
  for (int i = 0; i < kStreams; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    contexts.back()->AddMetadata("authorization", "Bearer " + doors.tokens[static_cast<std::size_t>(i)]);
    readers.push_back(guarded.stub->Watch(contexts.back().get(), {}));
    readers.back()->WaitForInitialMetadata();
  }
  print("a second of 16 open streams, each by a token of its own",
        cost(5'000, [&] { guarded.streams->check(); }));
  for (auto& context : contexts) context->TryCancel();
  for (auto& reader : readers) (void)reader->Finish();
}

}  // namespace

int main() {
  log::set_level(log::Level::error);
  std::string folder = std::filesystem::temp_directory_path() / "vigil-bench-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) return 1;
  {
    Doors doors(folder);
    measure_decisions(doors);
    measure_certificates(folder + "/identity");
    measure_calls(doors);
  }
  std::filesystem::remove_all(folder);
  return 0;
}
