#include "aggregator/alerts/rule_outlook.h"

#include "aggregator/promql/ast.h"
#include "aggregator/promql/parser.h"
#include "aggregator/rules/rewrite.h"
#include "common/text/human.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <tuple>
#include <utility>

namespace vigil::alerts {
namespace {

using promql::Expr;
using promql::ExprPtr;
using rules::Rule;

constexpr std::size_t kMostSeries = 20;

/// Only the host's own series: a rule that looks at each host by itself sees no others.
void narrow_to(const std::string& instance, Expr& expr) {
  const auto add = [&instance](promql::VectorSelector& selector) {
    if (auto matcher = promql::Matcher::create(promql::MatchOp::equal, "instance", instance))
      selector.matchers.insert(selector.matchers.begin(), std::move(*matcher));  // its name stays the last
  };
  if (auto* selector = std::get_if<promql::VectorSelector>(&expr.node)) add(*selector);
  if (auto* range = std::get_if<promql::MatrixSelector>(&expr.node)) add(range->selector);
  // Children of a tree that belongs to nobody else.
  promql::for_each_child(expr,
                         [&instance](const Expr& child) { narrow_to(instance, const_cast<Expr&>(child)); });
}

Labels unnamed(const Labels& labels) {
  Labels out = labels;
  out.erase(kMetricName);
  return out;
}

/// "web-1", or all its labels where it is of no host.
std::string site_of(const Labels& labels) {
  const std::string_view instance = labels.get("instance");
  if (labels.size() == 0) return "its value";
  return instance.empty() ? labels.to_string() : std::string(instance);
}

std::string moment_text(std::int64_t t_ms) {
  std::string text = format_rfc3339(t_ms / 1000 * 1000).substr(0, 19);
  text[10] = ' ';
  return text + " UTC";
}

/// What an alert of this series would be called, as far as that needs no template.
Labels alert_labels(const Rule& rule, const Labels& series) {
  Labels out = series;
  for (const rules::NamedTemplate& label : rule.labels) {
    if (label.text.find("{{") == std::string::npos) out.set(label.name, label.text);
  }
  out.set("alertname", rule.name);
  return out;
}

std::string name_of(const silences::Silence& silence) {
  constexpr std::size_t kShown = 8;
  const std::string id = silence.id.substr(0, kShown);
  if (silence.maintenance) return fmt::format("maintenance {}: {}", id, silence.maintenance->title);
  return fmt::format("silence {} of {}: {}", id, silence.author, silence.comment);
}

class Look {
 public:
  Look(const RuleInfo& info, const HostOutlook& host, const OutlookSources& sources)
      : rule_(*info.rule), host_(host), sources_(sources), limit_(rules::limit_of(*rule_.expr)) {
    out_.info = info;
  }

  RuleOutlook take() {
    describe();
    ask();
    add_alerts();
    for (auto& [labels, series] : series_) add_holds(series);
    out_.why = why();
    put_in_order();
    return std::move(out_);
  }

 private:
  void describe() {
    measured_ = ExprPtr();
    if (limit_) {
      out_.limit = limit_->number;
      out_.comparison =
          fmt::format("{} {}", promql::to_string(limit_->op), promql::format_value(limit_->number));
      if (auto parsed = promql::parse(limit_->compared)) measured_ = std::move(*parsed);
    } else if (auto measured = rules::measured_of(*rule_.expr)) {
      measured_ = std::move(*measured);
    }
    out_.compared = measured_ ? promql::to_string(*measured_) : rule_.expr_text;
  }

  Result<promql::Vector> samples_of(const Expr& expr) const {
    const std::int64_t t_ms = sources_.now_ms - rule_.query_offset.count();
    if (host_.name.empty() || rule_.scope == rules::Scope::fleet) return sources_.ask(expr, t_ms);
    auto narrowed = promql::parse(promql::to_string(expr));
    if (!narrowed) return narrowed.error();
    narrow_to(host_.name, **narrowed);
    return sources_.ask(**narrowed, t_ms);
  }

  bool is_meant(const Labels& labels) const {
    return host_.name.empty() || labels.get("instance") == host_.name;
  }

  SeriesOutlook& at(const Labels& labels) {
    Labels plain = unnamed(labels);
    SeriesOutlook& series = series_[plain];
    series.labels = std::move(plain);
    return series;
  }

  void ask() {
    const auto truths = samples_of(*rule_.expr);
    if (!truths) {
      failure_ = truths.error().message;
      return;
    }
    if (measured_) {
      const auto values = samples_of(*measured_);
      if (!values) failure_ = values.error().message;
      if (values) {
        for (const promql::Sample& sample : *values) {
          if (is_meant(*sample.labels)) at(*sample.labels).value = sample.v;
        }
      }
    }
    if (!measured_ && rule_.presence) {  // nothing is compared, but of these it is known whether it is true
      const auto known = samples_of(*rule_.presence);
      if (!known) failure_ = known.error().message;
      if (known) {
        for (const promql::Sample& sample : *known) {
          if (is_meant(*sample.labels)) at(*sample.labels);
        }
      }
    }
    for (const promql::Sample& sample : *truths) {
      if (!is_meant(*sample.labels)) continue;
      SeriesOutlook& series = at(*sample.labels);
      series.is_true = true;
      if (!series.value) series.value = sample.v;
    }
  }

  /// Also of those that have no data now.
  void add_alerts() {
    for (const AlertInfo& alert : sources_.alerts) {
      const bool is_active = alert.state == State::pending || alert.state == State::firing;
      if (!is_active || alert.rule_key != rule_.key || !is_meant(alert.labels)) continue;
      SeriesOutlook& series = at(*alert.series);
      series.alert = alert.fingerprint;
      series.state = alert.state;
      series.held_ms = alert.held_ms;
      series.times_true = alert.times_true;
      if (!alert.inhibited_by.empty()) series.held_back_by.push_back("alert " + alert.inhibited_by);
    }
  }

  void add_holds(SeriesOutlook& series) const {
    for (const silences::Silence* silence :
         sources_.silences.muting(alert_labels(rule_, series.labels), sources_.now_ms))
      series.held_back_by.push_back(name_of(*silence));
  }

  /// Those that fire, that are true, and then by what is missing.
  auto rank(const SeriesOutlook& series) const {
    const int kind = series.state == State::firing ? 0 : series.alert.empty() && !series.is_true ? 2 : 1;
    double missing = std::numeric_limits<double>::infinity();
    if (limit_ && series.value && !std::isnan(*series.value))
      missing = limit_->holds(*series.value) ? 0 : std::abs(*series.value - limit_->number);
    return std::tuple(kind, missing);
  }

  const SeriesOutlook* first() const {
    const SeriesOutlook* best = nullptr;
    for (const auto& [labels, series] : series_) {
      if (best == nullptr || rank(series) < rank(*best)) best = &series;
    }
    return best;
  }

  /// The most telling reason.
  std::string why() const {
    const SeriesOutlook* nearest = first();
    if (nearest != nullptr && nearest->state == State::firing) return "";
    if (!out_.info.last_error.empty()) return "its latest evaluation failed: " + out_.info.last_error;
    if (!failure_.empty()) return "asked for it now, it fails: " + failure_;
    if (!host_.is_known && nearest == nullptr) return fmt::format("no host is called {}", host_.name);
    if (host_.unheard_since_ms != 0 && rule_.scope == rules::Scope::host)
      return fmt::format("nothing was heard of {} since {}: without data it neither begins nor ends",
                         host_.name, moment_text(host_.unheard_since_ms));
    if (host_.is_awaited && (nearest == nullptr || rule_.scope == rules::Scope::host))
      return fmt::format("nothing has come of {} since the aggregator started: its agent is waited for",
                         host_.name);
    if (nearest == nullptr) return why_nothing();
    if (nearest->state == State::pending) return why_pending(*nearest);
    if (nearest->is_true)
      return out_.info.last_evaluation_ms == 0 ? "it is true, and was not looked at yet"
                                               : "it has become true just now";
    return why_false(*nearest);
  }

  std::string why_nothing() const {
    const std::string whose = host_.name.empty() ? "" : " of " + host_.name;
    if (!rule_.presence) return fmt::format("its expression gives nothing{} now", whose);
    return fmt::format("no data: no series{} is there for {}", whose, out_.compared);
  }

  std::string why_pending(const SeriesOutlook& series) const {
    const rules::Times& times = rule_.extras.times;
    if (times.of > 1 && series.times_true < times.enough)
      return fmt::format("pending: {} is true in {} of the latest {} evaluations, {} are needed",
                         site_of(series.labels), series.times_true, times.of, times.enough);
    return fmt::format("pending: {} has been true for {} of {}", site_of(series.labels),
                       format_duration(std::chrono::milliseconds(series.held_ms)),
                       format_duration(rule_.hold));
  }

  std::string why_false(const SeriesOutlook& series) const {
    const std::string place = site_of(series.labels);
    const std::string nearest = series_.size() == 1 ? place : "the nearest, " + place + ",";
    if (!limit_ || !series.value) return fmt::format("not true for {}", place);
    const std::string value = promql::format_value(*series.value);
    if (limit_->holds(*series.value))
      return fmt::format("{} has {}, which is {}, but the rest of the expression is not true", nearest, value,
                         out_.comparison);
    return fmt::format("not true: {} has {}, which is not {}", nearest, value, out_.comparison);
  }

  void put_in_order() {
    for (auto& [labels, series] : series_) out_.series.push_back(std::move(series));
    std::ranges::stable_sort(out_.series, {}, [this](const SeriesOutlook& series) { return rank(series); });
    if (out_.series.size() <= kMostSeries) return;
    out_.left_out = out_.series.size() - kMostSeries;
    out_.series.resize(kMostSeries);
  }

  const Rule& rule_;
  const HostOutlook& host_;
  const OutlookSources& sources_;
  const std::optional<rules::Limit> limit_;
  ExprPtr measured_;
  std::map<Labels, SeriesOutlook> series_;
  std::string failure_;
  RuleOutlook out_;
};

}  // namespace

RuleOutlook look_at(const RuleInfo& rule, const HostOutlook& host, const OutlookSources& sources) {
  return Look(rule, host, sources).take();
}

}  // namespace vigil::alerts
