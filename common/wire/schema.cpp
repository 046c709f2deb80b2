#include "common/wire/schema.h"

#include "common/text/utf8.h"
#include "common/wire/names.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

namespace vigil::wire {
namespace {

/// Numbers strings in order of first use.
class SymbolTable {
 public:
  explicit SymbolTable(v1::Schema& schema) : schema_(schema) {}
  /// `text` outlives the table.
  std::uint32_t index(std::string_view text) {
    const auto [at, added] = indices_.emplace(text, static_cast<std::uint32_t>(indices_.size()));
    if (added) schema_.add_symbols(std::string(text));
    return at->second;
  }

 private:
  v1::Schema& schema_;
  std::unordered_map<std::string_view, std::uint32_t> indices_;
};

Result<const std::string*> symbol(const v1::Schema& schema, std::uint32_t index) {
  if (index >= static_cast<std::uint32_t>(schema.symbols_size())) {
    return fail(Errc::parse, "Schema.series names symbol {}, there are {}", index, schema.symbols_size());
  }
  return &schema.symbols(static_cast<int>(index));
}

Result<Labels> read_labels(const v1::Schema& schema, const v1::SeriesDefinition& definition) {
  const auto count = static_cast<std::size_t>(definition.labels_size());
  if (count % 2 != 0)
    return fail(Errc::parse, "SeriesDefinition.labels has an odd length: a name without a value");
  if (count / 2 > kMaxLabelsPerSeries) {
    return fail(Errc::limit, "SeriesDefinition.labels has {} pairs, at most {} are taken", count / 2,
                kMaxLabelsPerSeries);
  }
  std::vector<Label> labels;
  labels.reserve(count / 2);
  for (int i = 0; i < definition.labels_size(); i += 2) {
    const auto name = symbol(schema, definition.labels(i));
    if (!name) return name.error();
    const auto value = symbol(schema, definition.labels(i + 1));
    if (!value) return value.error();
    if (!valid_label_name(**name)) {
      return fail(Errc::parse, "'{}' is not a label name", clean_text(**name));
    }
    labels.push_back({**name, **value});
  }
  Labels sorted(std::move(labels));
  if (sorted.size() != count / 2)
    return fail(Errc::parse, "SeriesDefinition.labels has an empty value or a name twice");
  return sorted;
}

Result<SeriesSpec> read_series(const v1::Schema& schema, const v1::SeriesDefinition& definition) {
  const auto name = symbol(schema, definition.name());
  if (!name) return name.error();
  if (!valid_metric_name(**name)) return fail(Errc::parse, "'{}' is not a metric name", clean_text(**name));
  auto labels = read_labels(schema, definition);
  if (!labels) return labels.error();
  if (!v1::SeriesType_IsValid(definition.type())) {
    return fail(Errc::parse, "SeriesDefinition.type of {} is {}", **name,
                static_cast<int>(definition.type()));
  }
  if (!v1::Encoding_IsValid(definition.encoding())) {
    return fail(Errc::parse, "SeriesDefinition.encoding of {} is {}", **name,
                static_cast<int>(definition.encoding()));
  }
  if (definition.scale() > kMaxScale) {
    return fail(Errc::limit, "SeriesDefinition.scale of {} is {}, at most {}", **name, definition.scale(),
                kMaxScale);
  }
  return SeriesSpec{**name, std::move(*labels), static_cast<SeriesType>(definition.type()),
                    static_cast<Encoding>(definition.encoding()),
                    static_cast<std::uint8_t>(definition.scale())};
}

Result<void> check_header(const v1::Schema& schema) {
  if (schema.source_id() < 1 || schema.source_id() > kMaxSourceId) {
    return fail(Errc::limit, "Schema.source_id is {}, must be 1 to {}", schema.source_id(), kMaxSourceId);
  }
  if (schema.version() < 1) return fail(Errc::parse, "Schema.version is 0, versions start at 1");
  if (schema.job().empty() || schema.job().size() > kMaxNameBytes || !is_utf8(schema.job())) {
    return fail(Errc::parse, "Schema.job must be 1 to {} bytes of UTF-8", kMaxNameBytes);
  }
  if (schema.interval_ms() < 1 || schema.interval_ms() > kMaxIntervalMs) {
    return fail(Errc::limit, "Schema.interval_ms is {}, must be 1 to {}", schema.interval_ms(),
                kMaxIntervalMs);
  }
  if (schema.series_size() > static_cast<int>(kMaxSeriesPerSource)) {
    return fail(Errc::limit, "Schema.series has {} series, at most {} are taken", schema.series_size(),
                kMaxSeriesPerSource);
  }
  for (const std::string& text : schema.symbols()) {
    if (text.size() > kMaxValueBytes) {
      return fail(Errc::limit, "Schema.symbols has one of {} bytes, at most {} are taken", text.size(),
                  kMaxValueBytes);
    }
    if (!is_utf8(text))
      return fail(Errc::parse, "Schema.symbols has one that is not UTF-8: '{}'", clean_text(text));
  }
  return {};
}

std::size_t text_bytes(const SeriesSpec& spec) {
  std::size_t bytes = spec.name.size();
  for (const LabelView& label : spec.labels) bytes += label.name.size() + label.value.size();
  return bytes;
}

/// Name and labels as one key, with separators UTF-8 never contains.
std::string identity(const SeriesSpec& spec) {
  std::string key = spec.name;
  for (const LabelView& label : spec.labels) {
    key += '\xFE';
    key += label.name;
    key += '\xFF';
    key += label.value;
  }
  return key;
}

bool is_clean(const SeriesSpec& spec) {
  return valid_metric_name(spec.name) && spec.labels.size() < kMaxLabelsPerSeries &&
         std::all_of(spec.labels.begin(), spec.labels.end(), [](const LabelView& label) {
           return valid_label_name(label.name) && label.value.size() <= kMaxValueBytes &&
                  is_utf8(label.value);
         });
}

void clean_one(SeriesSpec& spec) {
  if (is_clean(spec)) return;
  if (!valid_metric_name(spec.name)) spec.name = clean_name(spec.name);
  std::vector<Label> labels;
  for (const LabelView& label : spec.labels) {
    if (labels.size() + 1 >= kMaxLabelsPerSeries) break;  // one stays free for vigil_duplicate
    std::string name = valid_label_name(label.name) ? std::string(label.name) : clean_name(label.name);
    std::replace(name.begin(), name.end(), ':', '_');
    name.erase(0, name.starts_with("__") ? name.find_first_not_of('_') : 0);
    labels.push_back({valid_label_name(name) ? name : "label_" + clean_name(name).substr(0, 100),
                      clean_text(label.value)});
  }
  spec.labels = Labels(std::move(labels));
}

}  // namespace

void to_wire(const SourceSchema& schema, v1::Schema& out) {
  out.Clear();
  out.set_source_id(schema.source_id);
  out.set_version(schema.version);
  out.set_job(schema.job);
  out.set_interval_ms(schema.interval_ms);
  SymbolTable symbols(out);
  for (const SeriesSpec& spec : schema.series) {
    v1::SeriesDefinition& definition = *out.add_series();
    definition.set_name(symbols.index(spec.name));
    for (const LabelView& label : spec.labels) {
      definition.add_labels(symbols.index(label.name));
      definition.add_labels(symbols.index(label.value));
    }
    definition.set_type(static_cast<v1::SeriesType>(spec.type));
    definition.set_encoding(static_cast<v1::Encoding>(spec.encoding));
    definition.set_scale(spec.scale);
  }
}

Result<SourceSchema> from_wire(const v1::Schema& schema) {
  if (auto checked = check_header(schema); !checked) return checked.error();
  SourceSchema out{schema.source_id(), schema.version(), schema.job(), schema.interval_ms(), {}};
  out.series.reserve(static_cast<std::size_t>(schema.series_size()));
  std::unordered_set<std::string> seen;
  std::size_t bytes = 0;
  for (const v1::SeriesDefinition& definition : schema.series()) {
    auto spec = read_series(schema, definition);
    if (!spec) return spec.error();
    bytes += text_bytes(*spec);
    if (bytes > kMaxSchemaTextBytes) {
      return fail(Errc::limit, "Schema.series has more than {} bytes of names and labels",
                  kMaxSchemaTextBytes);
    }
    if (!seen.insert(identity(*spec)).second) {
      return fail(Errc::parse, "Schema.series has {}{} twice", spec->name, spec->labels.to_string());
    }
    out.series.push_back(std::move(*spec));
  }
  return out;
}

std::size_t count_that_fit(const std::vector<SeriesSpec>& series) {
  // Upper bounds: indices and lengths of up to three bytes, and room for what stands around the series.
  constexpr std::size_t kAround = 4096;
  constexpr std::size_t kPerSymbol = 4;
  constexpr std::size_t kPerSeries = 16;
  constexpr std::size_t kPerLabel = 6;
  std::unordered_set<std::string_view> symbols;
  std::size_t bytes = kAround;
  std::size_t text = 0;
  const auto add = [&](std::string_view symbol) {
    text += symbol.size();
    if (symbols.insert(symbol).second) bytes += symbol.size() + kPerSymbol;
  };
  for (std::size_t i = 0; i < series.size(); ++i) {
    bytes += kPerSeries;
    add(series[i].name);
    for (const LabelView& label : series[i].labels) {
      bytes += kPerLabel;
      add(label.name);
      add(label.value);
    }
    if (bytes > kMaxMessageBytes || text > kMaxSchemaTextBytes) return i;
  }
  return series.size();
}

void clean(std::vector<SeriesSpec>& series) {
  std::unordered_map<std::string, int> seen;
  for (SeriesSpec& spec : series) {
    clean_one(spec);
    std::string key = identity(spec);
    while (++seen[key] > 1) {
      spec.labels.set("vigil_duplicate", std::to_string(seen[key]));
      key = identity(spec);
    }
  }
}

}  // namespace vigil::wire
