// What commands do before and after they ask the aggregator.
#include "cli/commands/command.h"

#include "cli/arguments.h"
#include "cli/client/client.h"
#include "cli/commands/figures.h"
#include "cli/completion.h"
#include "common/flags/help.h"
#include "common/grpc/runtime.h"
#include "tests/support/catch.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <ctime>
#include <thread>

namespace vigil::cli {
namespace {

using Arguments = std::vector<std::string>;

/// A program with the flags that matter here.
struct Program {
  Program() {
    app.fallthrough();  // subcommands inherit it
    app.add_option("-o,--output", output);
    CLI::App* query = app.add_subcommand("query");
    query->add_option("expression", expression);
    query->add_option("--at", at);
    app.add_subcommand("hosts");
  }
  CLI::App app;
  std::string output, expression, at;
};

v1::QueryResult answer_from(std::int64_t first_ms) {
  v1::QueryResult result;
  auto* series = result.add_series();
  series->add_times_ms(first_ms);
  series->add_values(1);
  return result;
}

/// Has a sample every second from `first_ms` to `last_ms`, and answers as PromQL would.
class Sampled : public Client {
 public:
  Sampled(std::int64_t first_ms, std::int64_t last_ms) : first_ms_(first_ms), last_ms_(last_ms) {}
  Result<v1::QueryResult> range(const v1::RangeRequest& request) override {
    ++calls;
    v1::QueryResult result;
    const std::int64_t lookback = request.lookback_ms() == 0 ? 300'000 : request.lookback_ms();
    for (std::int64_t t = request.start_ms(); t <= request.end_ms(); t += request.step_ms()) {
      const std::int64_t newest = std::min(t, last_ms_);
      if (newest < first_ms_ || newest <= t - lookback) continue;
      if (result.series().empty()) result.add_series();
      result.mutable_series(0)->add_times_ms(t);
      result.mutable_series(0)->add_values(1);
    }
    return result;
  }
  Result<v1::QueryResult> instant(const v1::InstantRequest&) override { return unasked(); }
  Result<v1::SeriesResponse> series(const v1::SeriesRequest&) override { return unasked(); }
  Result<v1::ListHostsResponse> hosts(const v1::ListHostsRequest&) override { return unasked(); }
  Result<v1::ListContainersResponse> containers(const v1::ListContainersRequest&) override {
    return unasked();
  }
  Result<v1::ListAlertsResponse> alerts(const v1::ListAlertsRequest&) override { return unasked(); }
  Result<v1::ExplainAlertResponse> explain(const v1::ExplainAlertRequest&) override { return unasked(); }
  Result<v1::AcknowledgeAlertResponse> acknowledge(const v1::AcknowledgeAlertRequest&) override {
    return unasked();
  }
  Result<v1::ListRulesResponse> rules() override { return unasked(); }
  Result<v1::Status> status() override { return unasked(); }
  Result<v1::ListGapsResponse> gaps(const v1::ListGapsRequest&) override { return unasked(); }
  Result<v1::ForgetHostResponse> forget(const v1::ForgetHostRequest&) override { return unasked(); }
  Result<v1::ReloadResponse> reload() override { return unasked(); }
  Result<v1::ListDeadMessagesResponse> dead_messages() override { return unasked(); }
  Result<v1::ResendMessagesResponse> resend_messages(const v1::ResendMessagesRequest&) override {
    return unasked();
  }
  Result<v1::DropMessagesResponse> drop_messages(const v1::DropMessagesRequest&) override {
    return unasked();
  }
  Result<v1::ListReceiversResponse> receivers() override { return unasked(); }
  Result<v1::ListRoutesResponse> routes() override { return unasked(); }
  Result<v1::TestReceiverResponse> test_receiver(const v1::TestReceiverRequest&) override {
    return unasked();
  }
  Result<v1::ListActionsResponse> actions() override { return unasked(); }
  Result<v1::ListRunsResponse> action_runs(const v1::ListRunsRequest&) override { return unasked(); }
  Result<v1::RunActionResponse> run_action(const v1::RunActionRequest&) override { return unasked(); }
  Result<v1::DecideRunResponse> decide_run(const v1::DecideRunRequest&) override { return unasked(); }
  Result<v1::ListSilencesResponse> silences(const v1::ListSilencesRequest&) override { return unasked(); }
  Result<v1::PutSilenceResponse> put_silence(const v1::PutSilenceRequest&) override { return unasked(); }
  Result<v1::ExpireSilenceResponse> expire_silence(const v1::ExpireSilenceRequest&) override {
    return unasked();
  }
  Result<v1::WhoAmIResponse> who_am_i() override { return unasked(); }
  Result<v1::StartLoginResponse> start_login() override { return unasked(); }
  Result<v1::PollLoginResponse> poll_login(const v1::PollLoginRequest&) override { return unasked(); }
  Result<v1::LoginSession> renew_login(const v1::RenewLoginRequest&) override { return unasked(); }
  Result<v1::CreateTokenResponse> create_token(const v1::CreateTokenRequest&) override { return unasked(); }
  Result<v1::ListTokensResponse> tokens() override { return unasked(); }
  Result<v1::RevokeTokenResponse> revoke_token(const v1::RevokeTokenRequest&) override { return unasked(); }
  Result<v1::PutUserResponse> put_user(const v1::PutUserRequest&) override { return unasked(); }
  Result<v1::ListUsersResponse> users() override { return unasked(); }
  Result<v1::RemoveUserResponse> remove_user(const v1::RemoveUserRequest&) override { return unasked(); }
  Result<v1::ListAuditResponse> audit(const v1::ListAuditRequest&) override { return unasked(); }
  Result<v1::StoreStatus> store_status(const v1::GetStoreStatusRequest&) override { return unasked(); }
  Result<void> check_store(const std::function<Result<void>(const v1::CheckEvent&)>&) override {
    return unasked();
  }
  Result<void> backup(const v1::BackupRequest&,
                      const std::function<Result<void>(const v1::BackupPart&)>&) override {
    return unasked();
  }
  Result<void> watch(const v1::WatchRequest&,
                     const std::function<Result<void>(const v1::WatchUpdate&)>&) override {
    return unasked();
  }
  Result<void> replay_rules(const v1::ReplayRequest&,
                            const std::function<Result<void>(const v1::ReplayEvent&)>&) override {
    return unasked();
  }
  Result<v1::InviteResponse> invite(const v1::InviteRequest&) override { return unasked(); }
  Result<v1::ListCertificatesResponse> certificates(const v1::ListCertificatesRequest&) override {
    return unasked();
  }
  Result<v1::RevokeResponse> revoke(const v1::RevokeRequest&) override { return unasked(); }
  Result<v1::IssuedCertificate> issue_person(const v1::IssuePersonRequest&) override { return unasked(); }
  void cancel() override {}

  int calls = 0;

 private:
  static Error unasked() { return fail(Errc::unsupported, "nobody asks"); }
  const std::int64_t first_ms_;
  const std::int64_t last_ms_;
};

/// A port that accepts, and never answers by itself.
class Listener {
 public:
  Listener() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(fd_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(fd_, 8) == 0);
    REQUIRE(::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    address_ = fmt::format("127.0.0.1:{}", ntohs(address.sin_port));
  }
  ~Listener() { ::close(fd_); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  int fd() const { return fd_; }
  const std::string& address() const { return address_; }
  /// Whoever accepts is told that nobody comes any more.
  void stop() const { ::shutdown(fd_, SHUT_RDWR); }

 private:
  int fd_;
  std::string address_;
};

}  // namespace

TEST_CASE("an expression may begin with a minus") {
  struct Case {
    Arguments given;
    std::string expression, output, at;
  };
  const auto c =
      GENERATE(values<Case>({{{"query", "-up"}, " -up", "", ""},
                             {{"query", "-up", "-o", "json"}, " -up", "json", ""},
                             {{"query", "-ojson", "-1 + up"}, " -1 + up", "json", ""},
                             {{"-o", "csv", "query", "-(up)"}, " -(up)", "csv", ""},
                             {{"query", "-offset_metric", "--at", "-x"}, " -offset_metric", "", "-x"},
                             {{"query", "--", "-up"}, "-up", "", ""}}));
  Program program;
  Arguments arguments = shield_expressions(program.app, c.given);
  std::reverse(arguments.begin(), arguments.end());
  if (c.at.empty()) {  // the library itself refuses values that begin with a minus
    program.app.parse(std::move(arguments));
    CHECK(program.expression == c.expression);
    CHECK(program.output == c.output);
  } else {
    CHECK(arguments == Arguments{c.at, "--at", c.expression, "query"});
  }
}

TEST_CASE("misspelt flags stay flags") {
  Program program;
  CHECK(shield_expressions(program.app, {"query", "--att", "now"}) == Arguments{"query", "--att", "now"});
  CHECK(shield_expressions(program.app, {"hosts", "-x"}) == Arguments{"hosts", "-x"});
}

TEST_CASE("a completion offers the program's flags behind a command") {
  Program program;
  const std::string script = *completion_script(program.app, "bash");
  CHECK_THAT(script, Catch::Contains("query) words=\"--help --at --output\"") ||
                         Catch::Contains("query) words=\"--at --help --output\"") ||
                         Catch::Contains("query) words=\"--at --output --help\""));
}

TEST_CASE("a completion offers what a command consists of, with its flags and their words") {
  Program program;
  CLI::App* fleet = program.app.add_subcommand("bench")->add_subcommand("fleet");
  std::string phase;
  fleet->add_option("--phase", phase)->check(CLI::IsMember({"together", "spread"}));
  const std::string script = *completion_script(program.app, "bash");
  CHECK_THAT(script, Catch::Contains("bench) words=\"fleet "));
  CHECK_THAT(script, Catch::Contains("--phase) words=\"together spread\""));
  const std::string fish = *completion_script(program.app, "fish");
  CHECK_THAT(fish, Catch::Contains("'__fish_seen_subcommand_from bench' -a fleet"));
  CHECK_THAT(fish, Catch::Contains("'__fish_seen_subcommand_from bench' -l phase"));
}

TEST_CASE("an aggregator named on the command line is told from one in the environment") {
  CHECK(names_aggregator({"bench", "fleet", "--aggregator", "x:1"}));
  CHECK(names_aggregator({"--aggregator=x:1", "bench", "fleet"}));
  CHECK_FALSE(names_aggregator({"bench", "fleet", "--aggregators"}));
  CHECK_FALSE(names_aggregator({"query", "--", "--aggregator"}));
}

TEST_CASE("a range begins where the data does") {
  const RangeFlags flags;
  constexpr std::int64_t kNow = 1'700'000'000'000;
  Range range = *resolve(flags, kNow, 200);
  CHECK(range.step_ms == 30'000);
  SECTION("five minutes old") {
    REQUIRE(narrow(answer_from(kNow - 300'000), flags, range, 200));
    CHECK(range.start_ms <= kNow - 300'000);
    CHECK(range.start_ms >= kNow - 340'000);
    CHECK(range.step_ms == 2'000);
  }
  SECTION("older than the range") {
    CHECK_FALSE(narrow(answer_from(range.start_ms), flags, range, 200));
  }
  SECTION("younger than a step: no point sees it yet") {
    REQUIRE(narrow(v1::QueryResult{}, flags, range, 200));
    CHECK(range.end_ms - range.start_ms <= 31'000);
    REQUIRE(narrow(answer_from(kNow - 5'000), flags, range, 200));
    CHECK(range.end_ms - range.start_ms <= 6'000);
    CHECK(range.step_ms == 1'000);
  }
  SECTION("a step that was asked for stays") {
    RangeFlags stepped;
    stepped.step = "1m";
    range = *resolve(stepped, kNow, 200);
    REQUIRE(narrow(answer_from(kNow - 300'000), stepped, range, 200));
    CHECK(range.step_ms == 60'000);
  }
}

TEST_CASE("a range is as long as was asked for, though its points are on round seconds") {
  constexpr std::int64_t kNow = 1'700'000'017'000;
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  const Range range = *resolve(RangeFlags{}, kNow, 100);
  CHECK(range.start_ms < kNow - 3'600'000);
  CHECK(range_text(range) == "2023-11-14 21:13:37 to 22:13:37, 1h, a point every 1m");
}

TEST_CASE("a quarter of an hour of data fills a range of an hour, a week or a year") {
  constexpr std::int64_t kNow = 1'700'000'000'000;
  constexpr std::int64_t kFirst = kNow - 900'000;
  RangeFlags flags;
  flags.start = GENERATE("1h", "24h", "7d", "30d", "1y");
  const int points = GENERATE(60, 160, 320);
  Sampled client(kFirst, kNow);
  Range range = *resolve(flags, kNow, points);
  const auto answer = ask_narrowing(client, "node_load1", flags, points, range);
  REQUIRE(answer);
  CAPTURE(flags.start, points, range.step_ms);
  REQUIRE(answer->series_size() == 1);
  CHECK(answer->series(0).times_ms_size() >= points / 4);
  CHECK(answer->series(0).times_ms(0) <= kFirst + range.step_ms);
  CHECK(client.calls <= 4);
}

TEST_CASE("a step that nobody chose hides no sample, one that was asked for sees five minutes") {
  constexpr std::int64_t kNow = 1'700'000'000'000;
  RangeFlags flags;
  flags.start = "30d";
  CHECK(resolve(flags, kNow, 160)->lookback_ms == resolve(flags, kNow, 160)->step_ms);
  flags.start = "1h";
  CHECK(resolve(flags, kNow, 160)->lookback_ms == 300'000);
  flags.step = "1d";
  CHECK(resolve(flags, kNow, 160)->lookback_ms == 0);
}

TEST_CASE("hosts tell what is odd about them in a note of its own") {
  v1::ListHostsResponse hosts;
  v1::Host& host = *hosts.add_hosts();
  host.set_name("web-1");
  host.set_state(v1::Host::STATE_UP);
  host.set_since_ms(1'700'000'000'000 - 300'000);
  host.set_since_earlier(true);
  host.set_clock_skew_seconds(120);
  hosts.add_hosts()->set_clock_skew_seconds(-0.04);
  host.set_duplicate_remote("10.0.0.7:4711");
  host.set_machine_changed_ms(1'700'000'000'000 - 60'000);
  (*host.mutable_labels())["env"] = "prod";
  host.set_delivery_interval_ms(2000);
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  const Listing listing = hosts_listing(hosts, 1'700'000'000'000, {});
  const std::string table = render(listing, Format::table, Colours::never);
  CHECK_THAT(table, Catch::Contains("\nweb-1  up") && Catch::Contains(">5m") &&
                        Catch::Contains("second agent at 10.0.0.7:4711; another machine since 22:12:20; "
                                        "clock +2m"));
  const std::string json = render(listing, Format::json, Colours::never);
  CHECK_THAT(json, Catch::Contains(R"("labels":{"env":"prod"})"));
  // How often an agent was asked to deliver is for programs; nobody asked the second host.
  CHECK_THAT(json, Catch::Contains(R"("delivery_interval_ms":2000)") &&
                       Catch::Contains(R"("delivery_interval_ms":null)"));
  CHECK_THAT(render(listing, Format::csv, Colours::never),
             Catch::Contains(",kind,delivery_interval_ms") && Catch::Contains(",2000"));
  CHECK_THAT(table, Catch::Contains(" 0.0s") && !Catch::Contains("-0.0s"));
}

TEST_CASE("gaps advise to name a host only where none was named") {
  v1::ListGapsRequest request;
  v1::ListGapsResponse gaps;
  CHECK(gap_notes(request, gaps).empty());
  gaps.set_truncated(true);
  gaps.set_looked_from_ms(1'700'000'000'000);
  gaps.set_collectors_left_out(true);
  REQUIRE(gap_notes(request, gaps).size() == 3);
  for (const std::string& note : gap_notes(request, gaps))
    CHECK_THAT(note, Catch::EndsWith(": name a host, or a later --start."));
  request.set_host("web-1");
  for (const std::string& note : gap_notes(request, gaps))
    CHECK_THAT(note, Catch::EndsWith(": name a later --start."));
}

namespace {

/// Lists these alerts.
class KnownAlerts : public Sampled {
 public:
  explicit KnownAlerts(v1::ListAlertsResponse alerts) : Sampled(0, 0), alerts_(std::move(alerts)) {}
  Result<v1::ListAlertsResponse> alerts(const v1::ListAlertsRequest&) override { return alerts_; }

 private:
  v1::ListAlertsResponse alerts_;
};

}  // namespace

TEST_CASE("of several alerts of one name and host each is listed with what tells it from the others") {
  v1::ListAlertsResponse alerts;
  for (const char* mount : {"/", "/var"}) {
    v1::Alert& alert = *alerts.add_alerts();
    alert.set_id(fmt::format("{:0>16}", alerts.alerts_size()));
    alert.set_name("Full");
    alert.set_instance("web-1");
    alert.set_severity("warning");
    auto& labels = *alert.mutable_labels();
    labels["alertname"] = "Full";
    labels["instance"] = "web-1";
    labels["fstype"] = "ext4";
    labels["mountpoint"] = mount;
  }
  Context context;
  context.client = std::make_unique<KnownAlerts>(alerts);
  CLI::App app;
  const Run run = declare_ack(app);
  app.parse("Full web-1");
  const auto done = run(context);
  REQUIRE_FALSE(done);
  CHECK(done.error().message ==
        "2 alerts are meant; write the id of one:\n"
        "  0000000000000001  Full on web-1 (warning)  mountpoint=\"/\"\n"
        "  0000000000000002  Full on web-1 (warning)  mountpoint=\"/var\"");
}

TEST_CASE("an alert that is over lasted as long as it did, and programs get all of it") {
  v1::ListAlertsResponse alerts;
  v1::Alert& alert = *alerts.add_alerts();
  alert.set_name("HighCpu");
  alert.set_state("resolved");
  alert.set_group("vigil-cpu");
  alert.set_value(91.25);
  alert.set_active_since_ms(1'700'000'000'000);
  alert.set_resolved_at_ms(1'700'000'125'000);
  (*alert.mutable_annotations())["value"] = "91.3%";
  (*alert.mutable_labels())["zone"] = "a";
  alert.add_evidence("Top: one 1");
  const Listing listing = alerts_listing(alerts, 1'700'009'000'000);
  CHECK_THAT(render(listing, Format::table, Colours::never),
             Catch::Contains("91.3%") && Catch::Contains("2m 5s"));
  CHECK_THAT(
      render(listing, Format::json, Colours::never),
      Catch::Contains(R"("group":"vigil-cpu","labels":{"zone":"a"},"annotations":{"value":"91.3%"})") &&
          Catch::Contains(R"("evidence":["Top: one 1"])") && Catch::Contains(R"("value":91.25)"));
}

TEST_CASE("the tables a person looks at fit into 80 columns") {
  v1::ListHostsResponse hosts;
  v1::Host& host = *hosts.add_hosts();
  host.set_name("production-web-server-0001");
  host.set_state(v1::Host::STATE_UP);
  host.set_duplicate_remote("10.0.0.7:4711");
  host.set_cpu_busy_ratio(0.5);
  host.set_memory_used_ratio(0.5);
  host.set_disk_used_ratio(0.5);
  host.set_load1(12.5);
  host.set_cpus(64);
  host.set_network_bytes_per_second(123e6);
  host.set_uptime_seconds(1e7);
  host.set_agent_version("0.1.0");
  v1::ListContainersResponse containers;
  v1::Container& container = *containers.add_containers();
  container.set_host("production-web-server-0001");
  container.set_name("shop-frontend-nginx-1");
  container.set_state("restarting");
  container.set_health("unhealthy");
  container.set_image("registry.example.org/shop/frontend:2026.11.22");
  v1::ListAlertsResponse alerts;
  v1::Alert& alert = *alerts.add_alerts();
  alert.set_state("resolved");
  alert.set_severity("critical");
  alert.set_name("ContainerRestarting");
  alert.set_instance("production-web-server-0001");
  (*alert.mutable_annotations())["summary"] = std::string(90, 's');
  for (const Listing& listing :
       {hosts_listing(hosts, 1'700'000'000'000, {}), containers_listing(containers, 1'700'000'000'000),
        alerts_listing(alerts, 1'700'000'000'000)}) {
    const std::string text = render(listing, Format::table, Colours::never, 80);
    CAPTURE(text);
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = text.find('\n', at);
      CHECK(display_width(std::string_view(text).substr(at, end - at)) <= 80);
      at = end + 1;
    }
  }
}

TEST_CASE("an empty fleet says how a host gets in, by how the aggregator is reached") {
  const auto note = [](const char* address, bool tls) {
    ClientOptions asked;
    asked.address = address;
    asked.tls = tls;
    return hosts_listing({}, 1'700'000'000'000, asked).empty_note;
  };
  CHECK(note("127.0.0.1:8460", false) == "No hosts yet. Start an agent: vigil-agent --aggregator HOST:8460");
  CHECK(note("monitor:8460", true) == "No hosts yet. Let one in: vigil agent invite --name HOST");
  CHECK_THAT(note("unix:/var/lib/vigil/vigil.sock", false),
             Catch::Contains("vigil agent invite") && Catch::Contains("vigil-agent --aggregator"));
}

TEST_CASE("status is one object for programs, and a row for each problem for people") {
  v1::Status status;
  status.set_hosts_up(3);
  status.add_problems("one");
  status.add_problems("two");
  const std::string json = render(status_listing(status, Format::json), Format::json, Colours::never);
  CHECK_THAT(json, Catch::StartsWith("{\n") && Catch::Contains("\"hosts_up\": 3") &&
                       Catch::Contains("\"problems\": [\"one\",\"two\"]") &&
                       Catch::Contains("\"bytes_per_sample\": null"));
  const std::string table = render(status_listing(status, Format::table), Format::table, Colours::never);
  CHECK_THAT(table, Catch::Contains("\nproblem                   one\nproblem                   two\n"));
}

TEST_CASE("a misspelt flag is answered with the one that was meant, also behind a command") {
  const auto c = GENERATE(values<std::pair<Arguments, std::string>>(
      {{{"query", "--aat", "now", "up"}, "there is no flag --aat; did you mean --at?"},
       {{"hosts", "--ouptut", "json"}, "there is no flag --ouptut; did you mean --output?"},
       {{"--ouput=json", "hosts"}, "there is no flag --ouput; did you mean --output?"},
       {{"hosts", "--nonsense"}, "there is no flag --nonsense"}}));
  Program program;
  Arguments arguments = c.first;
  std::reverse(arguments.begin(), arguments.end());
  std::string said;
  try {
    program.app.parse(std::move(arguments));
  } catch (const CLI::ParseError& error) {
    said = explain_usage(program.app, error);
  }
  CHECK(said == c.second);
}

TEST_CASE("a misspelt command of a command is answered with the one that was meant") {
  const auto [given, used, expected] = GENERATE(table<Arguments, std::string, std::string>(
      {{{"db", "plam"}, "db", "there is no command 'db plam'; did you mean db plan?"},
       {{"db", "foo"}, "db", "there is no command 'db foo'; there are db status, db plan"},
       {{"db"}, "db", "db: which? There are status, plan"},
       {{"rules", "pley"}, "rules", "there is no command 'rules pley'; did you mean rules play?"},
       {{"quary", "up"}, "", "there is no command 'quary'; did you mean query?"},
       {{}, "", "a command is missing: which? There are query, hosts, db, rules"},
       {{"db", "plan", "--seriess", "2"}, "db plan", "there is no flag --seriess; did you mean --series?"},
       {{"db", "plan", "--series", "0"}, "db plan", "--series: '0' is not a number from 1 to 1000000"},
       {{"db", "plan", "--series", "many"}, "db plan", "--series: 'many' is not a number from 1 to 1000000"},
       {{"db", "plan", "--rows", "1.5"}, "db plan", "--rows: '1.5' is not a whole number from 2 to 9"},
       {{"db", "plan", "--limit", "x"}, "db plan", "--limit: 'x' is not a number that fits"},
       {{"db", "plan", "--series"}, "db plan", "--series needs a value behind it"},
       {{"hosts", "web-1"}, "hosts", "'web-1' is one word too many"}}));
  Program program;
  program.app.require_subcommand(1);
  CLI::App* db = program.app.add_subcommand("db")->require_subcommand(1);
  db->add_subcommand("status");
  double series = 0;
  int rows = 0;
  unsigned limit = 0;
  CLI::App* plan = db->add_subcommand("plan");
  plan->add_option("--series", series)->check(number_within(1.0, 1e6));
  plan->add_option("--rows", rows)->check(number_within(2, 9));
  plan->add_option("--limit", limit);
  program.app.add_subcommand("rules")->require_subcommand(0, 1)->add_subcommand("play");
  Arguments arguments = given;
  std::reverse(arguments.begin(), arguments.end());
  std::string said;
  try {
    program.app.parse(std::move(arguments));
  } catch (const CLI::ParseError& error) {
    said = explain_usage(program.app, error);
  }
  CHECK(said == expected);
  CHECK(commands_used(program.app) == used);
}

TEST_CASE("help folds its prose, and leaves examples one line each") {
  const std::string example =
      "  vigil silence add HostDown --comment '" + std::string(90, 'x') + "' --for 2h";
  const std::string prose(50, 'p');
  CLI::App app;
  app.formatter(help_formatter());
  app.footer("Examples:\n" + example + "\n" + prose + ' ' + prose);
  CHECK_THAT(app.help(), Catch::Contains("\nExamples:\n" + example + '\n' + prose + '\n' + prose + '\n'));
}

TEST_CASE("a completion leaves files to the shell where it knows no word") {
  Program program;
  for (const char* shell : {"bash", "zsh"})
    CHECK_THAT(*completion_script(program.app, shell),
               Catch::Contains("\ncomplete -o default -o bashdefault -F _vigil vigil\n"));
  const std::string fish = *completion_script(program.app, "fish");
  CHECK_THAT(fish, Catch::Contains("complete -c vigil -n __fish_use_subcommand -f"));
  CHECK_THAT(fish, !Catch::Contains("complete -c vigil -f"));
}

TEST_CASE("help fits into 80 columns and has none of the library's own notes") {
  CLI::App app("A program with a description that is long enough to need two lines, as it has many words.");
  app.name("vigil");
  app.formatter(help_formatter());
  std::string at = "now";
  std::string output = "table";
  CLI::Option* start = app.add_option("--start", at, fmt::format("{:w<40} {:w<40}", "", ""));
  app.add_option("--at", at, "When")->type_name("TIME")->capture_default_str()->excludes(start);
  std::string address;
  int rows = 1;
  app.add_option("--to", address, "Where")->type_name("HOST:PORT");
  app.add_option("--rows", rows, "Rows")->type_name("N")->check(CLI::Range(2, 100));
  app.add_option("-o,--output", output, "How")->check(CLI::IsMember({"table", "json"}));
  const std::string help = app.help();
  CHECK_THAT(help, Catch::Contains("Usage: vigil ") && Catch::Contains("--at TIME") &&
                       Catch::Contains("When [now]") && Catch::Contains("-o,--output table|json") &&
                       Catch::Contains("--to HOST:PORT ") && Catch::Contains("--rows N ") &&
                       !Catch::Contains("Excludes") && !Catch::Contains("REQUIRED"));
  for (std::size_t i = 0; i < help.size();) {
    const std::size_t end = help.find('\n', i);
    CHECK(end - i <= 80);
    i = end + 1;
  }
}

TEST_CASE("a completion offers the words of a command that takes a few") {
  CLI::App app;
  std::string shell;
  app.add_subcommand("completion")->add_option("shell", shell)->check(CLI::IsMember({"bash", "zsh", "fish"}));
  CHECK_THAT(*completion_script(app, "bash"), Catch::Contains("completion) words=\"bash zsh fish \""));
  CHECK_THAT(*completion_script(app, "fish"), Catch::Contains("completion' -xa 'bash zsh fish '"));
}

TEST_CASE("that nobody answers is said without what the library says to itself") {
  prepare_grpc();
  ClientOptions options;
  options.address = "127.0.0.1:1";
  options.timeout = std::chrono::seconds(10);
  const auto answer = Client::create(options)->status();
  REQUIRE_FALSE(answer);
  CHECK_THAT(answer.error().message,
             Catch::StartsWith("no aggregator answers at 127.0.0.1:1: the connection is refused\n"));
}

TEST_CASE("a plot says which time it shows") {
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  CHECK(range_text({1'700'000'000'000, 1'700'003'600'000, 15'000, 0, 1'700'000'000'000}) ==
        "2023-11-14 22:13:20 to 23:13:20, 1h, a point every 15s");
}

TEST_CASE("a call that takes longer than --timeout says so") {
  prepare_grpc();
  const Listener silent;
  ClientOptions options;
  options.address = silent.address();
  options.timeout = std::chrono::milliseconds(50);
  const auto answer = Client::create(options)->status();
  REQUIRE_FALSE(answer);
  CHECK(answer.error().message ==
        fmt::format("no answer from {} within 50ms, the limit of --timeout: raise it, or "
                    "ask for less",
                    silent.address()));
  CHECK(answer.error().code == Errc::timeout);
}

TEST_CASE("an HTTP port is told from one where nobody answers") {
  prepare_grpc();
  const Listener http;
  std::thread server([&] {
    constexpr std::string_view kRefusal = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    for (int i = 0; i < 3; ++i) {  // it tries again
      const int accepted = ::accept(http.fd(), nullptr, nullptr);
      if (accepted < 0) return;
      (void)::send(accepted, kRefusal.data(), kRefusal.size(), MSG_NOSIGNAL);
      char taken[256];
      (void)::recv(accepted, taken, sizeof taken, 0);
      ::close(accepted);
    }
  });
  ClientOptions options;
  options.address = http.address();
  options.timeout = std::chrono::seconds(10);
  const auto answer = Client::create(options)->status();
  http.stop();
  server.join();
  REQUIRE_FALSE(answer);
  CHECK_THAT(answer.error().message, Catch::StartsWith(http.address() + " looks like an HTTP port"));
  CHECK(answer.error().code == Errc::unavailable);
}

/// What a call is told by a port that answers whatever it is sent with this.
Error told_by(std::string_view answer, bool tls) {
  prepare_grpc();
  const Listener port;
  std::thread server([&] {
    for (;;) {  // the call, which tries again, and the look at it
      const int accepted = ::accept(port.fd(), nullptr, nullptr);
      if (accepted < 0) return;
      char taken[256];
      (void)::recv(accepted, taken, sizeof taken, 0);
      (void)::send(accepted, answer.data(), answer.size(), MSG_NOSIGNAL);
      ::close(accepted);
    }
  });
  ClientOptions options;
  options.address = port.address();
  options.timeout = std::chrono::seconds(10);
  options.tls = tls;
  const auto status = Client::create(options)->status();
  port.stop();
  server.join();
  REQUIRE_FALSE(status);
  return status.error();
}

TEST_CASE("who speaks plain text to a port of TLS is told how to speak it") {
  constexpr std::string_view kAlert("\x15\x03\x03\x00\x02\x02\x46", 7);
  const Error told = told_by(kAlert, false);
  CHECK(told.code == Errc::unavailable);
  CHECK_THAT(told.message, Catch::StartsWith("no connection to 127.0.0.1:") &&
                               Catch::Contains("it wants TLS") && Catch::Contains("VIGIL_TLS_CA"));
}

TEST_CASE("who speaks TLS to an aggregator that has not been started anew since init is told so") {
  constexpr std::string_view kSettings("\0\0\0\4\0\0\0\0\0", 9);
  const Error told = told_by(kSettings, true);
  CHECK(told.code == Errc::unavailable);
  CHECK_THAT(told.message, Catch::StartsWith("no connection to 127.0.0.1:") &&
                               Catch::Contains("speaks plain text") &&
                               Catch::Contains("start the aggregator anew"));
}

TEST_CASE("a call under way ends when it is cancelled") {
  prepare_grpc();
  const Listener listener;
  ClientOptions options;
  options.address = listener.address();
  options.timeout = std::chrono::hours(1);
  const auto client = Client::create(options);
  std::thread canceller([&] {
    const int accepted = ::accept(listener.fd(), nullptr, nullptr);  // the call is under way
    client->cancel();
    ::close(accepted);
  });
  const auto answer = client->status();
  canceller.join();
  REQUIRE_FALSE(answer);
  CHECK(answer.error().message == "cancelled");
  CHECK(client->status().error().message == "cancelled");
}

}  // namespace vigil::cli
