#include "aggregator/serve/rules_service.h"

#include "aggregator/serve/run_alone.h"
#include "aggregator/trial/replay.h"

#include <algorithm>
#include <chrono>
#include <set>

namespace vigil::aggregator {
namespace {

using Stream = MessageStream<v1::ReplayEvent>;

constexpr std::size_t kMostAlerts = 1'000;  // told of one rule; all are counted

void put_alert(const trial::ReplayedAlert& alert, v1::ReplayedAlert& out) {
  for (const LabelView& label : alert.labels)
    (*out.mutable_labels())[std::string(label.name)] = std::string(label.value);
  out.set_count(alert.count);
  out.set_total_ms(alert.total_ms);
  out.set_longest_ms(alert.longest_ms);
  out.set_first_ms(alert.first_ms);
  out.set_last_ms(alert.last_ms);
  out.set_firing(alert.firing);
}

void put_rule(const trial::ReplayedRule& replayed, v1::ReplayedRule& out) {
  const rules::Rule& rule = *replayed.rule;
  out.set_group(rule.group);
  out.set_name(rule.name);
  for (const auto& label : rule.labels) (*out.mutable_labels())[label.name] = label.text;
  out.set_recording(rule.kind == rules::RuleKind::record);
  out.set_count(replayed.count);
  out.set_total_ms(replayed.total_ms);
  out.set_longest_ms(replayed.longest_ms);
  out.set_pending_only(replayed.pending_only);
  out.set_recorded(replayed.recorded);
  const std::size_t told = std::min(replayed.alerts.size(), kMostAlerts);
  for (std::size_t i = 0; i < told; ++i) put_alert(replayed.alerts[i], *out.add_alerts());
  out.set_error(replayed.error);
}

Result<rules::RuleSetPtr> load(const v1::ReplayRequest& request, const RulesSources& sources,
                               const rules::RuleSet& in_force) {
  std::vector<rules::RuleText> files;
  for (const auto& file : request.files()) files.push_back({file.name(), file.text()});
  rules::RulesConfig config;
  config.preset = rules::Preset::none;
  config.interval = sources.interval;
  return rules::RuleSet::load_texts(files, config, in_force.external_labels(), in_force.external_url());
}

/// How far the replay has come, several times a second, halves the work when there are two rule sets.
class Teller {
 public:
  Teller(Stream& stream, const std::atomic<bool>& stopping) : stream_(stream), stopping_(stopping) {}

  bool tell(double share) {
    if (stopping_ || stream_.gone()) return false;
    const auto now = std::chrono::steady_clock::now();
    if (now < next_) return true;
    next_ = now + std::chrono::milliseconds(200);
    v1::ReplayEvent event;
    event.set_share_done(share);
    return stream_.send(std::move(event));
  }

 private:
  Stream& stream_;
  const std::atomic<bool>& stopping_;
  std::chrono::steady_clock::time_point next_{};
};

Result<void> run(const RulesSources& sources, const v1::ReplayRequest& request, Stream& stream,
                 const std::atomic<bool>& stopping) {
  const rules::RuleSetPtr in_force = sources.in_force();
  const auto proposed = load(request, sources, *in_force);
  if (!proposed) return proposed.error();
  std::set<std::string_view> names;
  for (const rules::RulePtr& rule : (*proposed)->rules()) {
    if (rule->kind == rules::RuleKind::alert) names.insert(rule->name);
  }
  const rules::RuleSetPtr today = in_force->only_alerts(names);

  trial::ReplaySpan span{request.start_ms(), request.end_ms() != 0 ? request.end_ms() : sources.now_ms(),
                         request.step_ms()};
  if (span.step_ms == 0 && span.start_ms > 0 && span.end_ms > span.start_ms)
    span.step_ms = trial::choose_step_ms(**proposed, span.end_ms - span.start_ms);
  constexpr std::int64_t kMostSteps = 10'000'000;
  constexpr std::int64_t kEndOfTime = std::int64_t{1} << 52;  // sums of these stay numbers
  if (span.step_ms <= 0 || span.step_ms > kEndOfTime || span.end_ms > kEndOfTime || span.start_ms <= 0 ||
      span.end_ms <= span.start_ms || (span.end_ms - span.start_ms) / span.step_ms > kMostSteps) {
    return fail(Errc::invalid_argument,
                "the span must begin after 1970, end after it begins, and have at most {} steps", kMostSteps);
  }
  // On round times, as recording rules are evaluated.
  span.start_ms = (span.start_ms + span.step_ms - 1) / span.step_ms * span.step_ms;

  Teller teller(stream, stopping);
  const double half = today->rules().empty() ? 1 : 0.5;
  const auto later = trial::replay(
      {**proposed, sources.open_storage, [&](double share) { return teller.tell(share * half); }}, span);
  if (!later) return later.error();
  const auto now = trial::replay(
      {*today, sources.open_storage, [&](double share) { return teller.tell(half + share * half); }}, span);
  if (!now) return now.error();

  v1::ReplayEvent event;
  v1::ReplayResult& result = *event.mutable_result();
  result.set_start_ms(span.start_ms);
  result.set_end_ms(span.start_ms + (span.end_ms - span.start_ms) / span.step_ms * span.step_ms);
  result.set_step_ms(span.step_ms);
  for (const auto& rule : *later) put_rule(rule, *result.add_rules());
  for (const auto& rule : *now) {
    v1::ReplayedRule& out = *result.add_rules();
    put_rule(rule, out);
    out.set_in_force(true);
  }
  for (const std::string& warning : (*proposed)->warnings()) result.add_warnings(warning);
  (void)stream.send(std::move(event));
  return {};
}

}  // namespace

RulesService::RulesService(RulesSources sources) : sources_(std::move(sources)) {
  worker_.start();
}

void RulesService::stop() {
  stopping_ = true;
  worker_.stop();
}

grpc::ServerWriteReactor<v1::ReplayEvent>* RulesService::Replay(grpc::CallbackServerContext*,
                                                                const v1::ReplayRequest* request) {
  return run_alone<v1::ReplayEvent>(worker_, replaying_, [this, request = *request](Stream& stream) {
    return run(sources_, request, stream, stopping_);
  });
}

}  // namespace vigil::aggregator
