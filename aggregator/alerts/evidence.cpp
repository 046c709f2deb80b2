#include "aggregator/alerts/evidence.h"

#include "aggregator/promql/evaluator.h"
#include "aggregator/promql/literals.h"
#include "aggregator/promql/parser.h"
#include "common/config/fields.h"

namespace vigil::alerts {
namespace {

constexpr std::size_t kMaxRows = 5;
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

struct RawFile {
  std::vector<RawQuery> evidence;
};
void describe(config::Fields& fields, RawFile& file) {
  fields.field("evidence", file.evidence, "Queries asked when an alert fires.");
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

Result<EvidenceQuery> compile(const RawQuery& raw) {
  const auto parsed = promql::parse(with_instance(raw.expr, "host"));
  if (!parsed) return fail(parsed.error().code, "expr: {}", parsed.error().message);
  auto name = rules::Template::parse(raw.name);
  if (!name) return fail(name.error().code, "name: {}", name.error().message);
  auto value = rules::Template::parse(raw.value);
  if (!value) return fail(value.error().code, "value: {}", value.error().message);
  return EvidenceQuery{raw.title, raw.expr, std::move(*name), std::move(*value)};
}

notify::Evidence ask(const EvidenceQuery& query, promql::Storage& storage, std::string_view instance,
                     std::int64_t t_ms) {
  notify::Evidence table{query.title, {}};
  const auto expr = promql::parse(with_instance(query.expr, instance));
  if (!expr) return table;
  promql::EvalOptions options;
  options.max_samples = 1'000'000;
  const auto result = promql::evaluate_instant(**expr, storage, t_ms, options);
  if (!result) return table;
  const auto* vector = std::get_if<promql::Vector>(&result->data);
  if (vector == nullptr) return table;
  static const Labels kNone;
  for (const promql::Sample& sample : *vector) {
    if (table.rows.size() == kMaxRows) break;
    const rules::TemplateData data{*sample.labels, sample.v, kNone, ""};
    table.rows.push_back({query.name.expand_or_error(data), query.value.expand_or_error(data)});
  }
  return table;
}

}  // namespace

Result<std::vector<EvidenceQuery>> load_evidence(std::string_view text, std::string file) {
  auto document = config::Document::parse(text, std::move(file));
  if (!document) return document.error();
  RawFile raw;
  config::decode(document->root(), raw);
  std::vector<EvidenceQuery> out;
  if (document->result()) {
    for (const RawQuery& query : raw.evidence) {
      auto compiled = compile(query);
      if (compiled) {
        out.push_back(std::move(*compiled));
      } else {
        query.at.error(compiled.error().message);
      }
    }
  }
  if (const auto fine = document->result(); !fine) return fine.error();
  return out;
}

void EvidenceRound::begin() {
  left_ = kMost;
  patience_left_ = patience_;
}

std::vector<notify::Evidence> EvidenceRound::gather(std::string_view instance, std::int64_t t_ms) {
  if (!collect_ || instance.empty() || left_ <= 0 || patience_left_.count() <= 0) return {};
  --left_;
  const auto began = std::chrono::steady_clock::now();
  auto evidence = collect_(instance, t_ms);
  patience_left_ -= std::chrono::steady_clock::now() - began;
  return evidence;
}

std::vector<notify::Evidence> collect_evidence(const std::vector<EvidenceQuery>& queries,
                                               promql::Storage& storage, std::string_view instance,
                                               std::int64_t t_ms) {
  std::vector<notify::Evidence> out;
  if (instance.empty()) return out;
  for (const EvidenceQuery& query : queries) {
    notify::Evidence table = ask(query, storage, instance, t_ms);
    if (!table.rows.empty()) out.push_back(std::move(table));
  }
  return out;
}

}  // namespace vigil::alerts
