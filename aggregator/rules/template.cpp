#include "aggregator/rules/template.h"

#include "aggregator/rules/go_format.h"
#include "aggregator/rules/template_tree.h"

namespace vigil::rules {
namespace {

constexpr std::size_t kMaxOutputBytes = 65'536;

Result<TemplateValue> run(const Pipeline& pipeline, const TemplateData& data);

TemplateValue resolve(const Path& path, const TemplateData& data) {
  const Labels* labels = path.root == Root::labels ? &data.labels : &data.external_labels;
  switch (path.root) {
    case Root::value:
      return data.value;
    case Root::external_url:
      return std::string(data.external_url);
    case Root::labels:
    case Root::external_labels:
      break;
  }
  if (path.label.empty()) return labels;
  return std::string(labels->get(path.label));
}

Result<TemplateValue> resolve(const Operand& operand, const TemplateData& data) {
  if (const auto* literal = std::get_if<TemplateValue>(&operand.what)) return *literal;
  if (const auto* path = std::get_if<Path>(&operand.what)) return resolve(*path, data);
  return run(*std::get<std::unique_ptr<Pipeline>>(operand.what), data);
}

Result<TemplateValue> run(const Command& command, const TemplateValue* piped, const TemplateData& data) {
  std::vector<TemplateValue> args;
  for (const Operand& operand : command.operands) {
    auto value = resolve(operand, data);
    if (!value) return value.error();
    args.push_back(std::move(*value));
  }
  if (command.function == nullptr) return args.front();
  if (piped != nullptr) args.push_back(*piped);
  auto result = command.function->call(args, data);
  if (!result) {
    return fail(result.error().code, "error calling {}: {}", command.function->name, result.error().message);
  }
  return result;
}

Result<TemplateValue> run(const Pipeline& pipeline, const TemplateData& data) {
  TemplateValue value;
  bool first = true;
  for (const Command& command : pipeline.commands) {
    auto next = run(command, first ? nullptr : &value, data);
    if (!next) return next.error();
    value = std::move(*next);
    first = false;
  }
  return value;
}

Result<void> expand_into(const std::vector<Template::Node>& nodes, const TemplateData& data,
                         std::string& out);

Result<void> expand_branches(const Template::Node& node, const TemplateData& data, std::string& out) {
  for (const Template::Node::Branch& branch : node.branches) {
    if (branch.condition) {
      const auto condition = run(*branch.condition, data);
      if (!condition) return condition.error();
      if (!is_true(*condition)) continue;
    }
    return expand_into(branch.body, data, out);
  }
  return {};
}

Result<void> expand_into(const std::vector<Template::Node>& nodes, const TemplateData& data,
                         std::string& out) {
  for (const Template::Node& node : nodes) {
    out += node.text;
    if (node.action) {
      const auto value = run(*node.action, data);
      if (!value) return value.error();
      out += go_print(*value);
    }
    if (const auto done = expand_branches(node, data, out); !done) return done.error();
    if (out.size() > kMaxOutputBytes)
      return fail(Errc::limit, "the text is longer than {} bytes", kMaxOutputBytes);
  }
  return {};
}

}  // namespace

Template::Template() = default;
Template::~Template() = default;
Template::Template(Template&&) noexcept = default;
Template& Template::operator=(Template&&) noexcept = default;

Result<Template> Template::parse(std::string_view text) {
  auto nodes = parse_template(text);
  if (!nodes) return nodes.error();
  Template result;
  result.nodes_ = std::move(*nodes);
  return result;
}

Result<std::string> Template::expand(const TemplateData& data) const {
  std::string out;
  if (const auto done = expand_into(nodes_, data, out); !done) return done.error();
  return out;
}

std::string Template::expand_or_error(const TemplateData& data) const {
  auto text = expand(data);
  return text ? std::move(*text) : fmt::format("<error expanding template: {}>", text.error().message);
}

}  // namespace vigil::rules
