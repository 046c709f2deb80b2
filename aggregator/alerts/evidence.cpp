#include "aggregator/alerts/evidence.h"

#include "aggregator/promql/evaluator.h"
#include "aggregator/promql/literals.h"
#include "aggregator/promql/parser.h"
#include "aggregator/rules/template_functions.h"
#include "common/config/fields.h"
#include "common/text/human.h"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace vigil::alerts {
namespace {

constexpr std::size_t kMaxRows = 5;
constexpr std::int64_t kSilentMs = 10'000;  // more than a delivery may take
constexpr std::string_view kInstance = "$instance";

struct RawQuery {
  std::string title;
  std::string expr;
  std::string name;
  std::string value;
  config::Value at;
};

void describe(config::Fields& fields, RawQuery& query) {
  fields.required("title", query.title, "Headline of the table.");
  fields.required("expr", query.expr, "PromQL; $instance stands for the host.");
  fields.required("name", query.name, "Template for the name of a row.");
  fields.required("value", query.value, "Template for the value of a row.");
}

void decode(const config::Value& value, RawQuery& query) {
  query.at = value;
  config::Fields fields(value);
  describe(fields, query);
  fields.finish();
}

std::string with_instance(std::string expr, std::string_view instance) {
  std::string inner = promql::quote(instance);  // the expression brings its own quotes
  inner = inner.substr(1, inner.size() - 2);
  for (std::size_t at = expr.find(kInstance); at != std::string::npos;
       at = expr.find(kInstance, at + inner.size())) {
    expr.replace(at, kInstance.size(), inner);
  }
  return expr;
}

struct RawFile {
  std::string newest;
  std::vector<RawQuery> evidence;
};
void describe(config::Fields& fields, RawFile& file) {
  fields.required("newest", file.newest, "PromQL: Unix seconds of the host's newest sample.");
  const auto parsed = promql::parse(with_instance(file.newest, "host"));
  fields.require("newest", static_cast<bool>(parsed), parsed ? "" : parsed.error().message);
  fields.field("evidence", file.evidence, "Queries asked when an alert fires.");
}

Result<EvidenceQuery> compile(const RawQuery& raw) {
  const auto parsed = promql::parse(with_instance(raw.expr, "host"));
  if (!parsed) return fail(parsed.error().code, "expr: {}", parsed.error().message);
  auto name = rules::Template::parse(raw.name);
  if (!name) return fail(name.error().code, "name: {}", name.error().message);
  auto value = rules::Template::parse(raw.value);
  if (!value) return fail(value.error().code, "value: {}", value.error().message);
  return EvidenceQuery{raw.title, raw.expr, std::move(*name), std::move(*value)};
}

/// A vector's samples; none also where the question fails: evidence is a courtesy.
promql::Vector samples_of(const std::string& expression, promql::Storage& storage, std::string_view instance,
                          std::int64_t t_ms) {
  const auto expr = promql::parse(with_instance(expression, instance));
  if (!expr) return {};
  promql::EvalOptions options;
  options.max_samples = 1'000'000;
  auto result = promql::evaluate_instant(**expr, storage, t_ms, options);
  if (!result) return {};
  auto* vector = std::get_if<promql::Vector>(&result->data);
  return vector == nullptr ? promql::Vector() : std::move(*vector);
}

notify::Evidence table_of(const EvidenceQuery& query, const promql::Vector& samples) {
  notify::Evidence table{query.title, {}};
  static const Labels kNone;
  for (const promql::Sample& sample : samples) {
    if (table.rows.size() == kMaxRows) break;
    const rules::TemplateData data{*sample.labels, sample.v, kNone, ""};
    table.rows.push_back({query.name.expand_or_error(data), query.value.expand_or_error(data)});
  }
  return table;
}

/// The labels that the alert has not, as "device=sda, mode=read"; without any the metric's name.
std::string row_name(const Labels& labels, const Labels& of_alert) {
  std::string name;
  for (const LabelView& label : labels) {
    if (label.name == kMetricName || of_alert.get(label.name) == label.value) continue;
    name += fmt::format("{}{}={}", name.empty() ? "" : ", ", label.name, label.value);
  }
  if (!name.empty()) return name;
  const std::string_view metric = labels.get(kMetricName);
  return std::string(metric.empty() ? "value" : metric);
}

/// When the host was last heard of, if that is long before `t_ms`; otherwise `t_ms`.
std::int64_t last_words_ms(const EvidencePlan& plan, promql::Storage& storage, std::string_view instance,
                           std::int64_t t_ms) {
  const promql::Vector newest = samples_of(plan.newest, storage, instance, t_ms);
  if (newest.empty() || !std::isfinite(newest.front().v)) return t_ms;
  const auto newest_ms = static_cast<std::int64_t>(newest.front().v * 1000);
  return t_ms - newest_ms > kSilentMs ? newest_ms : t_ms;
}

}  // namespace

Result<EvidencePlan> load_evidence(std::string_view text, std::string file) {
  auto document = config::Document::parse(text, std::move(file));
  if (!document) return document.error();
  RawFile raw;
  config::decode(document->root(), raw);
  EvidencePlan out{raw.newest, {}};
  if (document->result()) {
    for (const RawQuery& query : raw.evidence) {
      auto compiled = compile(query);
      if (compiled) {
        out.queries.push_back(std::move(*compiled));
      } else {
        query.at.error(compiled.error().message);
      }
    }
  }
  if (const auto fine = document->result(); !fine) return fine.error();
  return out;
}

std::vector<notify::Evidence> with_missing(std::vector<notify::Evidence> kept,
                                           std::vector<notify::Evidence> fresh) {
  for (notify::Evidence& table : fresh) {
    const auto known =
        std::ranges::find_if(kept, [&](const notify::Evidence& old) { return old.title == table.title; });
    if (known == kept.end()) continue;
    table = std::move(*known);
    kept.erase(known);
  }
  std::ranges::move(kept, std::back_inserter(fresh));
  return fresh;
}

std::vector<notify::Evidence> ask_evidence(const std::vector<rules::EvidenceText>& texts,
                                           const rules::TemplateData& data,
                                           const rules::TemplateQuery& query) {
  std::vector<notify::Evidence> out;
  for (const rules::EvidenceText& text : texts) {
    notify::Evidence table{text.title, {}};
    const auto expr = text.expr.expand(data);
    const auto samples = expr ? query(*expr) : expr.error();
    if (!samples) {
      table.rows.push_back({"failed", samples.error().message});
    } else {
      for (const auto& [labels, value] : *samples) {
        if (table.rows.size() == kMaxRows) break;
        table.rows.push_back({row_name(labels, data.labels), format_si(value)});
      }
    }
    if (!table.rows.empty()) out.push_back(std::move(table));
  }
  return out;
}

void EvidenceRound::begin() {
  left_ = kMost;
  patience_left_ = patience_;
}

std::vector<notify::Evidence> EvidenceRound::gather(const Collect& collect) {
  if (left_ <= 0 || patience_left_.count() <= 0) return {};
  --left_;
  const auto began = std::chrono::steady_clock::now();
  auto evidence = collect();
  patience_left_ -= std::chrono::steady_clock::now() - began;
  return evidence;
}

std::vector<notify::Evidence> collect_evidence(const EvidencePlan& plan, promql::Storage& storage,
                                               std::string_view instance, std::int64_t t_ms) {
  std::vector<notify::Evidence> out;
  if (instance.empty()) return out;
  const std::int64_t at_ms = last_words_ms(plan, storage, instance, t_ms);
  const std::string when =
      at_ms == t_ms ? "" : fmt::format(", when last heard of: {} UTC", format_rfc3339(at_ms).substr(11, 8));
  for (const EvidenceQuery& query : plan.queries) {
    notify::Evidence table = table_of(query, samples_of(query.expr, storage, instance, at_ms));
    table.title += when;
    if (!table.rows.empty()) out.push_back(std::move(table));
  }
  return out;
}

}  // namespace vigil::alerts
