#include "aggregator/remote_write/routing.h"

#include "aggregator/head/host_kind.h"
#include "common/text/utf8.h"
#include "common/wire/names.h"

#include <algorithm>
#include <unordered_map>

namespace vigil::aggregator::remote_write {
namespace {

constexpr std::size_t kMaxHostBytes = 200;
constexpr std::size_t kShownBytes = 80;

std::string shown(std::string_view text) {
  return printable(wire::clean_text(text, kShownBytes));
}

/// Why a label cannot be taken; "" when it can.
std::string check(const LabelView& label, const LabelLimits& limits) {
  if (label.name.empty()) return "a label without a name";
  if (label.name.size() > limits.max_name_bytes)
    return fmt::format("the name of label {} has {} bytes, at most {} are taken", shown(label.name),
                       label.name.size(), limits.max_name_bytes);
  if (label.value.size() > limits.max_value_bytes)
    return fmt::format("the value of label {} has {} bytes, at most {} are taken", shown(label.name),
                       label.value.size(), limits.max_value_bytes);
  if (!is_utf8(label.name) || !is_utf8(label.value))
    return fmt::format("label {} is not UTF-8", shown(label.name));
  return {};
}

class Router {
 public:
  Router(const Request& request, const LabelLimits& limits, const FamilyType& type_of)
      : request_(request), limits_(limits), type_of_(type_of) {}

  Routed run() {
    std::size_t next = 0;
    for (const TimeSeries& series : request_.series) {
      const auto samples = std::span(request_.samples).subspan(next, series.samples);
      next += series.samples;
      const std::string wrong = add(series, samples);
      if (wrong.empty()) continue;
      out_.invalid += std::max<std::size_t>(samples.size(), series.histograms > 0 ? 0 : 1);
      if (out_.problem.empty()) out_.problem = wrong;
    }
    return std::move(out_);
  }

 private:
  std::string add(const TimeSeries& series, std::span<const promql::Point> samples) {
    if (series.too_many_labels)
      return fmt::format("a series with more labels than are taken ({})", series.labels);
    labels_.assign(request_.labels.begin() + series.first_label,
                   request_.labels.begin() + series.first_label + series.labels);
    for (const LabelView& label : labels_) {
      if (std::string wrong = check(label, limits_); !wrong.empty()) return wrong;
    }
    std::erase_if(labels_, [](const LabelView& label) { return label.value.empty(); });
    const auto by_name = [](const LabelView& a, const LabelView& b) { return a.name < b.name; };
    if (!std::ranges::is_sorted(labels_, by_name)) std::ranges::sort(labels_, by_name);
    const auto twice = std::ranges::adjacent_find(labels_, {}, &LabelView::name);
    if (twice != labels_.end()) return fmt::format("a series with label {} twice", shown(twice->name));
    const std::string_view name = value_of(kMetricName);
    if (name.empty()) return "a series without a name";
    if (samples.empty()) return {};  // exemplars, histograms, metadata
    LocalWrite& write = write_for(host());
    write.series.push_back(
        {Labels::of_sorted(labels_), type_of(series, name), static_cast<std::uint32_t>(samples.size())});
    write.samples.insert(write.samples.end(), samples.begin(), samples.end());
    return {};
  }

  std::string_view value_of(std::string_view name) const {
    const auto at = std::ranges::find(labels_, name, &LabelView::name);
    return at == labels_.end() ? std::string_view() : at->value;
  }

  std::string_view host() const {
    for (const std::string_view name : {"instance", "host", "job"}) {
      if (const std::string_view value = value_of(name); !value.empty()) return value;
    }
    return "-";
  }

  /// Series of one target come one after the other.
  LocalWrite& write_for(std::string_view host) {
    if (!out_.writes.empty() && host == last_host_) return out_.writes[last_];
    const auto [at, added] = by_host_.try_emplace(host, out_.writes.size());
    if (added)
      out_.writes.emplace_back().host =
          std::string(kRemoteWritePrefix) + printable(wire::clean_text(host, kMaxHostBytes));
    last_host_ = host;
    last_ = at->second;
    return out_.writes[last_];
  }

  SeriesType type_of(const TimeSeries& series, std::string_view name) {
    if (series.type != MetricType::unknown) return to_series_type(series.type, name);
    if (name != last_name_) {
      last_name_ = name;
      last_type_ = type_of_ ? type_of_(name) : SeriesType::unknown;
      if (last_type_ == SeriesType::unknown) last_type_ = type_by_name(name);
    }
    return last_type_;
  }

  const Request& request_;
  const LabelLimits& limits_;
  const FamilyType& type_of_;
  Routed out_;
  std::vector<LabelView> labels_;  // of the series at hand
  std::unordered_map<std::string_view, std::size_t> by_host_;
  std::string_view last_host_;
  std::size_t last_ = 0;
  std::string_view last_name_;
  SeriesType last_type_ = SeriesType::unknown;
};

}  // namespace

SeriesType type_by_name(std::string_view name) {
  for (const std::string_view suffix : {"_total", "_count", "_sum", "_bucket"}) {
    if (name.ends_with(suffix)) return SeriesType::counter;
  }
  return SeriesType::unknown;
}

SeriesType to_series_type(MetricType type, std::string_view name) {
  switch (type) {
    case MetricType::counter:
      return SeriesType::counter;
    case MetricType::gauge:
    case MetricType::info:
    case MetricType::state_set:
      return SeriesType::gauge;
    case MetricType::histogram:
    case MetricType::summary:  // of which the quantiles are none
      return type_by_name(name);
    case MetricType::gauge_histogram:
    case MetricType::unknown:
      break;
  }
  return SeriesType::unknown;
}

Routed route(const Request& request, const LabelLimits& limits, const FamilyType& type_of) {
  return Router(request, limits, type_of).run();
}

}  // namespace vigil::aggregator::remote_write
