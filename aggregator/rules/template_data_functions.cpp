#include "aggregator/rules/template_functions.h"
#include "aggregator/rules/template_object.h"
#include "aggregator/rules/template_tree.h"

#include <algorithm>

namespace vigil::rules {
namespace {

using Args = TemplateArgs;
using List = std::shared_ptr<const TemplateList>;
using SamplePtr = std::shared_ptr<const TemplateSample>;
using Map = std::shared_ptr<const TemplateMap>;

Result<TemplateValue> query(Args args, const TemplateData& data) {
  const auto expr = template_text(args[0]);
  if (!expr) return expr.error();
  if (data.query == nullptr || !*data.query)
    return fail(Errc::unsupported, "there is no storage to ask here");
  auto samples = (*data.query)(*expr);
  if (!samples) return samples.error();
  auto list = std::make_shared<TemplateList>();
  for (auto& [labels, value] : *samples)
    list->items.emplace_back(
        std::make_shared<const TemplateSample>(TemplateSample{std::move(labels), value}));
  return TemplateValue(List(std::move(list)));
}

Result<List> list_of(const TemplateValue& value) {
  if (const auto* list = std::get_if<List>(&value)) return *list;
  return fail(Errc::invalid_argument, "expected the answer of a query; got {}", type_name(value));
}

Result<SamplePtr> sample_of(const TemplateValue& value) {
  if (const auto* sample = std::get_if<SamplePtr>(&value)) return *sample;
  return fail(Errc::invalid_argument, "expected a sample; got {}", type_name(value));
}

Result<TemplateValue> first(Args args, const TemplateData& /*data*/) {
  const auto list = list_of(args[0]);
  if (!list) return list.error();
  if ((*list)->items.empty())
    return fail(Errc::invalid_argument, "first() called on vector with no elements");
  return (*list)->items.front();
}

Result<TemplateValue> label(Args args, const TemplateData& /*data*/) {
  const auto name = template_text(args[0]);
  if (!name) return name.error();
  const auto sample = sample_of(args[1]);
  if (!sample) return sample.error();
  return TemplateValue(std::string((*sample)->labels.get(*name)));
}

Result<TemplateValue> value(Args args, const TemplateData& /*data*/) {
  const auto sample = sample_of(args[0]);
  if (!sample) return sample.error();
  return TemplateValue((*sample)->value);
}

Result<TemplateValue> string_value(Args args, const TemplateData& /*data*/) {
  const auto sample = sample_of(args[0]);
  if (!sample) return sample.error();
  return TemplateValue(std::string((*sample)->labels.get("__value__")));
}

Result<TemplateValue> sort_by_label(Args args, const TemplateData& /*data*/) {
  const auto name = template_text(args[0]);
  if (!name) return name.error();
  const auto list = list_of(args[1]);
  if (!list) return list.error();
  auto sorted = std::make_shared<TemplateList>(**list);
  const auto key = [&name](const TemplateValue& item) {
    const auto* sample = std::get_if<SamplePtr>(&item);
    return sample == nullptr ? std::string_view() : (*sample)->labels.get(*name);
  };
  std::stable_sort(sorted->items.begin(), sorted->items.end(),
                   [&key](const auto& a, const auto& b) { return key(a) < key(b); });
  return TemplateValue(List(std::move(sorted)));
}

/// arg0, arg1, ...: what a template is given when it wants several things.
Result<TemplateValue> arguments(Args args, const TemplateData& /*data*/) {
  auto map = std::make_shared<TemplateMap>();
  for (std::size_t i = 0; i < args.size(); ++i) map->entries[fmt::format("arg{}", i)] = args[i];
  return TemplateValue(Map(std::move(map)));
}

Result<TemplateValue> entry(const TemplateValue& container, const TemplateValue& key) {
  if (std::holds_alternative<TemplateObjectPtr>(container)) return entry(plain_value(container), key);
  if (const auto* list = std::get_if<List>(&container)) {
    const auto* i = std::get_if<std::int64_t>(&key);
    if (i == nullptr) return fail(Errc::invalid_argument, "cannot index with {}", type_name(key));
    if (*i < 0 || *i >= std::ssize((*list)->items))
      return fail(Errc::invalid_argument, "index out of range: {}", *i);
    return (*list)->items[static_cast<std::size_t>(*i)];
  }
  if (!std::holds_alternative<TemplateLabels>(container) && !std::holds_alternative<Map>(container))
    return fail(Errc::invalid_argument, "cannot index {}", type_name(container));
  const auto name = template_text(key);
  if (!name) return name.error();
  return template_field(container, *name);
}

Result<TemplateValue> index(Args args, const TemplateData& /*data*/) {
  Result<TemplateValue> found = args[0];
  for (const TemplateValue& key : args.subspan(1)) {
    if (found) found = entry(*found, key);
  }
  return found;
}

Result<TemplateValue> length(Args args, const TemplateData& /*data*/) {
  if (const auto* string = std::get_if<std::string>(&args[0])) return TemplateValue(std::ssize(*string));
  if (const auto* list = std::get_if<List>(&args[0])) return TemplateValue(std::ssize((*list)->items));
  if (const auto* map = std::get_if<Map>(&args[0])) return TemplateValue(std::ssize((*map)->entries));
  if (const auto* labels = std::get_if<TemplateLabels>(&args[0]))
    return TemplateValue(static_cast<std::int64_t>((*labels)->size()));
  return fail(Errc::invalid_argument, "{} has no length", type_name(args[0]));
}

Result<TemplateValue> slice(Args args, const TemplateData& /*data*/) {
  const auto* text = std::get_if<std::string>(&args[0]);
  const auto* list = std::get_if<List>(&args[0]);
  if (text == nullptr && list == nullptr)
    return fail(Errc::invalid_argument, "cannot slice {}", type_name(args[0]));
  const std::int64_t size = text != nullptr ? std::ssize(*text) : std::ssize((*list)->items);
  std::int64_t bounds[2] = {0, size};
  for (std::size_t i = 1; i < args.size(); ++i) {
    const auto* bound = std::get_if<std::int64_t>(&args[i]);
    if (bound == nullptr || *bound < 0 || *bound > size)
      return fail(Errc::invalid_argument, "index out of range");
    bounds[i - 1] = *bound;
  }
  const auto [from, to] = bounds;
  if (from > to) return fail(Errc::invalid_argument, "invalid slice index: {} > {}", from, to);
  if (text != nullptr)
    return TemplateValue(text->substr(static_cast<std::size_t>(from), static_cast<std::size_t>(to - from)));
  auto part = std::make_shared<TemplateList>();
  part->items.assign((*list)->items.begin() + from, (*list)->items.begin() + to);
  return TemplateValue(List(std::move(part)));
}

Result<TemplateValue> no_function(Args args, const TemplateData& /*data*/) {
  return fail(Errc::invalid_argument, "non-function of type {}", type_name(args[0]));
}

constexpr std::size_t kMany = 64;
constexpr TemplateFunction kFunctions[] = {
    {"query", 1, 1, query},
    {"first", 1, 1, first},
    {"label", 2, 2, label},
    {"value", 1, 1, value},
    {"strvalue", 1, 1, string_value},
    {"sortByLabel", 2, 2, sort_by_label},
    {"args", 0, kMany, arguments},
    {"tmpl", 1, 2, nullptr, TemplateFunction::Kind::tmpl},
    {"index", 1, kMany, index},
    {"slice", 1, 3, slice},
    {"len", 1, 1, length},
    {"call", 1, kMany, no_function},
};

Result<TemplateValue> root_field(const TemplateData& data, const std::string& name) {
  if (name == "Value") return TemplateValue(data.value);
  if (name == "Labels") return TemplateValue(outliving(data.labels));
  if (name == "ExternalLabels") return TemplateValue(outliving(data.external_labels));
  if (name == "ExternalURL") return TemplateValue(std::string(data.external_url));
  return fail(Errc::invalid_argument, "can't evaluate field {} in the alert", name);
}

}  // namespace

std::span<const TemplateFunction> data_functions() {
  return kFunctions;
}

Result<TemplateValue> template_field(const TemplateValue& value, const std::string& name) {
  // A label that is not there is an empty one; anything else that is not there is nothing.
  if (const auto* labels = std::get_if<TemplateLabels>(&value))
    return TemplateValue(std::string((*labels)->get(name)));
  if (const auto* map = std::get_if<Map>(&value)) {
    const auto found = (*map)->entries.find(name);
    return found == (*map)->entries.end() ? TemplateValue() : found->second;
  }
  if (const auto* sample = std::get_if<SamplePtr>(&value)) {
    if (name == "Value") return TemplateValue((*sample)->value);
    if (name == "Labels") return TemplateValue(TemplateLabels(*sample, &(*sample)->labels));
  }
  if (const auto* object = std::get_if<TemplateObjectPtr>(&value)) return (*object)->member(name, {});
  if (const auto* root = std::get_if<const TemplateRoot*>(&value)) return root_field(*(*root)->data, name);
  if (std::holds_alternative<std::monostate>(value))
    return fail(Errc::invalid_argument, "nil data; no entry for key \"{}\"", name);
  return fail(Errc::invalid_argument, "can't evaluate field {} in type {}", name, type_name(value));
}

Error no_such_member(const TemplateObject& object, std::string_view name) {
  return fail(Errc::invalid_argument, "can't evaluate field {} in type {}", name, object.type());
}

}  // namespace vigil::rules
