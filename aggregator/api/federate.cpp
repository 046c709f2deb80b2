#include "aggregator/api/federate.h"

#include "aggregator/api/answer.h"
#include "aggregator/api/parameters.h"
#include "common/text/ascii.h"
#include "common/text/exposition.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <memory>
#include <utility>

namespace vigil::aggregator::api {
namespace {

constexpr std::size_t kPieceOfText = 64 << 10;

struct Newest {
  promql::LabelsPtr labels;
  promql::Point point;
  std::string family;  // the metric's name as it is written
};

/// So that a family stands together, then by labels; each series once.
void order(std::vector<Newest>& samples) {
  const auto before = [](const Newest& a, const Newest& b) {
    return a.family != b.family ? a.family < b.family : *a.labels < *b.labels;
  };
  std::ranges::sort(samples, before);
  const auto same = [](const Newest& a, const Newest& b) { return *a.labels == *b.labels; };
  samples.erase(std::unique(samples.begin(), samples.end(), same), samples.end());
}

/// This format has no other names: what they may not hold becomes '_', as Prometheus does it. `also` may
/// stand in a metric's name, but not in a label's.
std::string plain_name(std::string_view name, char also) {
  std::string plain(name);
  for (char& c : plain) {
    if (!is_letter(c) && !is_digit(c) && c != also) c = '_';
  }
  if (!plain.empty() && is_digit(plain.front())) plain.insert(plain.begin(), '_');
  return plain;
}

class FederateText {
 public:
  FederateText(std::vector<Newest> samples, Labels external)
      : samples_(std::move(samples)), external_(std::move(external)) {}

  std::string next() {
    std::string out;
    while (next_ < samples_.size() && out.size() < kPieceOfText) append(out, samples_[next_++]);
    return out;
  }
  bool is_done() const { return next_ == samples_.size(); }

 private:
  void append(std::string& out, const Newest& sample) {
    if (sample.family != family_) append_family(out, sample.family, "", "untyped");
    family_ = sample.family;
    names_.clear();
    std::vector<LabelView> labels;
    for (const LabelView& label : *sample.labels) {
      if (label.name != kMetricName) labels.push_back({own_name(label.name), label.value});
    }
    for (const LabelView& label : external_) {
      if (!sample.labels->has(label.name)) labels.push_back({own_name(label.name), label.value});
    }
    // Without one the reader would add that of this aggregator.
    if (!sample.labels->has("instance") && !external_.has("instance")) labels.push_back({"instance", ""});
    append_sample_as_is(out, sample.family, labels, sample.point.v);
    out.back() = ' ';  // the line goes on
    out += std::to_string(sample.point.t_ms) + '\n';
  }

  /// What stands for a label's name in this sample: one that is there already would spoil the whole answer.
  std::string_view own_name(std::string_view label) {
    std::string name = plain_name(label, '_');
    while (std::ranges::find(names_, name) != names_.end()) name += '_';
    return names_.emplace_back(std::move(name));
  }

  const std::vector<Newest> samples_;
  const Labels external_;
  std::deque<std::string> names_;  // of the sample being written
  std::size_t next_ = 0;
  std::string family_;
};

Result<std::vector<Newest>> newest_of(const MatcherLists& lists, const Errand& errand,
                                      const ApiSources& sources) {
  const QueryLimits& limits = sources.engine.limits();
  FleetReads reads{limits.max_samples, limits.timeout};
  const auto deadline = std::chrono::steady_clock::now() + limits.timeout;
  reads.expired = [&] { return errand.is_canceled() || std::chrono::steady_clock::now() > deadline; };
  FleetStorage storage(sources.engine.view(), reads);
  const std::int64_t now_ms = sources.now_ms();
  const std::int64_t lookback_ms = promql::EvalOptions().lookback.count();
  std::vector<Newest> samples;
  for (const auto& matchers : lists) {
    auto found = storage.select({matchers, now_ms - lookback_ms + 1, now_ms, promql::Need::last_point});
    if (!found) return found.error();
    for (const promql::SelectedSeries& series : *found) {
      if (is_stale(series.points.back().v)) continue;
      samples.push_back(
          {series.labels, series.points.back(), plain_name(series.labels->get(kMetricName), ':')});
    }
  }
  order(samples);
  return samples;
}

}  // namespace

http::Response federate_answer(const Errand& errand, const ApiSources& sources) {
  const auto lists = match_parameters(errand.request);
  if (!lists) return bad_data(lists.error());
  auto samples = newest_of(*lists, errand, sources);
  if (!samples && errand.is_canceled()) return canceled();
  if (!samples) return execution_error(samples.error());
  const auto text = std::make_shared<FederateText>(std::move(*samples), sources.external_labels());
  http::Response response{200, "text/plain; version=0.0.4; charset=utf-8", text->next(), {}};
  if (!text->is_done()) response.next = [text] { return text->next(); };
  return response;
}

}  // namespace vigil::aggregator::api
