#include "aggregator/rules/template.h"

#include "aggregator/rules/go_format.h"
#include "aggregator/rules/template_functions.h"
#include "aggregator/rules/template_tree.h"

#include <optional>

namespace vigil::rules {
namespace {

constexpr std::size_t kMaxMadeBytes = 256 * kMaxTextBytes;  // of all texts on the way together
constexpr int kMaxSteps = 100'000;                          // nodes and commands run: loops may be nested
constexpr int kMaxCalls = 100;                              // templates within templates

/// What ends the nodes of a loop's body before their end.
enum class Flow : std::uint8_t { on, leave_loop, next_round };

/// One expansion: the variables in force, the text so far, and what is left of the bounds.
class Expansion {
 public:
  Expansion(const Template::Tree& tree, const TemplateData& data) : tree_(tree), data_(data), root_{&data} {}

  Result<std::string> run() {
    begin(&root_);
    declare("labels", outliving(data_.labels));
    declare("externalLabels", outliving(data_.external_labels));
    declare("externalURL", std::string(data_.external_url));
    declare("value", data_.value);
    if (const auto done = nodes(tree_.nodes); !done) return done.error();
    return std::move(out_);
  }

 private:
  struct Named {
    std::string name;
    TemplateValue value;
  };
  /// The variables declared behind its construction end with it.
  class Block {
   public:
    explicit Block(Expansion& in) : in_(in), count_(in.variables_.size()), dot_(in.dot_) {}
    ~Block() {
      in_.variables_.resize(count_);
      in_.dot_ = std::move(dot_);
    }
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;

   private:
    Expansion& in_;
    const std::size_t count_;
    TemplateValue dot_;
  };

  void begin(TemplateValue data) {
    dot_ = std::move(data);
    declare("", dot_);
  }
  void declare(std::string name, TemplateValue value) {
    variables_.push_back({std::move(name), std::move(value)});
  }
  Named* find(std::string_view name) {
    for (auto variable = variables_.rbegin(); variable != variables_.rend(); ++variable) {
      if (variable->name == name) return &*variable;
    }
    return nullptr;
  }

  Result<void> step() {
    if (++steps_ > kMaxSteps) return fail(Errc::limit, "more than {} steps", kMaxSteps);
    if (out_.size() > kMaxTextBytes)
      return fail(Errc::limit, "the text is longer than {} bytes", kMaxTextBytes);
    return {};
  }

  /// Accounts for the text of a value that was made or passed on, so that variables cannot grow without end.
  Result<void> account(const TemplateValue& value);

  Result<TemplateValue> value_of(const Operand& operand);
  Result<TemplateValue> value_of(const Command& command, const TemplateValue* piped);
  Result<TemplateValue> decide(const Command& command, const TemplateValue* piped);
  Result<TemplateValue> call_named(TemplateArgs args);
  /// Without what it declares: range gives its variables other values.
  Result<TemplateValue> value_of(const Pipeline& pipeline);
  void name(const Pipeline& pipeline, const TemplateValue& value);

  Result<Flow> nodes(const std::vector<Template::Node>& nodes);
  Result<Flow> node(const Template::Node& node);
  Result<Flow> action(const Template::Node& node);
  Result<Flow> branch(const Template::Node& node);
  Result<Flow> range(const Template::Node& node);
  Result<bool> rounds(const Template::Node::Branch& loop, const TemplateValue& over);
  Result<Flow> round(const Template::Node::Branch& loop, const TemplateValue& key, TemplateValue value);
  Result<void> call(const std::string& name, TemplateValue data);

  const Template::Tree& tree_;
  const TemplateData& data_;
  const TemplateRoot root_;
  std::vector<Named> variables_;
  TemplateValue dot_;
  std::string out_;
  std::size_t made_ = 0;  // bytes of all texts that went through functions
  int steps_ = 0;
  int calls_ = 0;
};

Result<void> Expansion::account(const TemplateValue& value) {
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr) return {};
  made_ += text->size();
  if (text->size() > kMaxTextBytes) return fail(Errc::limit, "a text longer than {} bytes", kMaxTextBytes);
  if (made_ > kMaxMadeBytes) return fail(Errc::limit, "more than {} bytes of text are made", kMaxMadeBytes);
  return {};
}

Result<TemplateValue> Expansion::value_of(const Operand& operand) {
  Result<TemplateValue> value = TemplateValue();
  if (const auto* literal = std::get_if<TemplateValue>(&operand.what)) {
    value = *literal;
  } else if (std::holds_alternative<Dot>(operand.what)) {
    value = dot_;
  } else if (const auto* variable = std::get_if<Variable>(&operand.what)) {
    const Named* found = find(variable->name);
    if (found == nullptr) return fail(Errc::invalid_argument, "undefined variable ${}", variable->name);
    value = found->value;
  } else {
    value = value_of(*std::get<std::unique_ptr<Pipeline>>(operand.what));
  }
  for (const std::string& field : operand.fields) {
    if (value) value = template_field(*value, field);
  }
  return value;
}

/// `and` and `or`: no argument behind the one that decides is evaluated.
Result<TemplateValue> Expansion::decide(const Command& command, const TemplateValue* piped) {
  const bool ends_with = command.function->kind == TemplateFunction::Kind::any_of;
  Result<TemplateValue> value = TemplateValue();
  for (const Operand& operand : command.operands) {
    value = value_of(operand);
    if (!value || is_true(*value) == ends_with) return value;
  }
  if (piped != nullptr) value = *piped;
  return value;
}

Result<TemplateValue> Expansion::value_of(const Command& command, const TemplateValue* piped) {
  if (const auto fine = step(); !fine) return fine.error();
  if (command.function == nullptr) return value_of(command.operands.front());
  const auto kind = command.function->kind;
  if (kind == TemplateFunction::Kind::all_of || kind == TemplateFunction::Kind::any_of)
    return decide(command, piped);
  std::vector<TemplateValue> args;
  for (const Operand& operand : command.operands) {
    auto value = value_of(operand);
    if (!value) return value.error();
    if (const auto fits = account(*value); !fits) return fits.error();
    args.push_back(std::move(*value));
  }
  if (piped != nullptr) args.push_back(*piped);
  auto result = kind == TemplateFunction::Kind::tmpl ? call_named(args) : command.function->call(args, data_);
  if (!result) {
    return fail(result.error().code, "error calling {}: {}", command.function->name, result.error().message);
  }
  if (const auto fits = account(*result); !fits) {
    return fail(fits.error().code, "error calling {}: {}", command.function->name, fits.error().message);
  }
  return result;
}

Result<TemplateValue> Expansion::value_of(const Pipeline& pipeline) {
  TemplateValue value;
  bool first = true;
  for (const Command& command : pipeline.commands) {
    auto next = value_of(command, first ? nullptr : &value);
    if (!next) return next.error();
    value = std::move(*next);
    first = false;
  }
  return value;
}

void Expansion::name(const Pipeline& pipeline, const TemplateValue& value) {
  for (const std::string& variable : pipeline.variables) {
    if (pipeline.names == Pipeline::Names::declares) {
      declare(variable, value);
    } else if (Named* found = find(variable)) {
      found->value = value;
    }
  }
}

/// {{ tmpl "name" data }}: the text of a template whose name is a value.
Result<TemplateValue> Expansion::call_named(TemplateArgs args) {
  const auto name = template_text(args[0]);
  if (!name) return name.error();
  std::string before = std::exchange(out_, {});
  const auto done = call(*name, args.size() > 1 ? args[1] : TemplateValue());
  std::string text = std::exchange(out_, std::move(before));
  if (!done) return done.error();
  return TemplateValue(std::move(text));
}

Result<void> Expansion::call(const std::string& name, TemplateValue data) {
  const auto found = tree_.defined.find(name);
  if (found == tree_.defined.end()) return fail(Errc::invalid_argument, "template \"{}\" not defined", name);
  if (calls_ >= kMaxCalls) return fail(Errc::limit, "templates call each other more than {} deep", kMaxCalls);
  ++calls_;
  // It sees none of the variables here.
  auto variables = std::exchange(variables_, {});
  TemplateValue dot = std::exchange(dot_, {});
  begin(std::move(data));
  const auto done = nodes(found->second);
  variables_ = std::move(variables);
  dot_ = std::move(dot);
  --calls_;
  if (!done) return done.error();
  return {};
}

Result<Flow> Expansion::action(const Template::Node& node) {
  const auto value = value_of(*node.pipeline);
  if (!value) return value.error();
  name(*node.pipeline, *value);
  if (node.pipeline->names != Pipeline::Names::none) return Flow::on;
  out_ += std::holds_alternative<std::monostate>(*value) ? "<no value>" : go_print(*value);
  return Flow::on;
}

Result<Flow> Expansion::branch(const Template::Node& node) {
  const Block outer(*this);
  for (const Template::Node::Branch& branch : node.branches) {
    if (branch.pipeline) {
      const auto condition = value_of(*branch.pipeline);
      if (!condition) return condition.error();
      name(*branch.pipeline, *condition);
      if (!is_true(*condition)) continue;
      if (node.kind == Template::Node::Kind::with) dot_ = *condition;
    }
    return nodes(branch.body);
  }
  return Flow::on;
}

Result<Flow> Expansion::round(const Template::Node::Branch& loop, const TemplateValue& key,
                              TemplateValue value) {
  const Block inner(*this);
  const std::vector<std::string>& names = loop.pipeline->variables;
  const auto set = [&](const std::string& variable, const TemplateValue& to) {
    if (loop.pipeline->names == Pipeline::Names::declares) {
      declare(variable, to);
    } else if (Named* found = find(variable)) {
      found->value = to;
    }
  };
  if (names.size() > 1) set(names[0], key);
  if (!names.empty()) set(names.back(), value);
  dot_ = std::move(value);
  return nodes(loop.body);
}

/// False: there was nothing to go over.
Result<bool> Expansion::rounds(const Template::Node::Branch& loop, const TemplateValue& over) {
  bool any = false;
  std::optional<Error> error;
  const auto go = [&](const TemplateValue& key, TemplateValue value) {
    any = true;
    auto flow = step();
    if (flow) {
      const auto ended = round(loop, key, std::move(value));
      if (ended) return *ended != Flow::leave_loop;
      flow = ended.error();
    }
    error = flow.error();
    return false;
  };
  if (const auto* list = std::get_if<std::shared_ptr<const TemplateList>>(&over)) {
    std::int64_t i = 0;
    for (const TemplateValue& item : (*list)->items) {
      if (!go(i++, item)) break;
    }
  } else if (const auto* map = std::get_if<std::shared_ptr<const TemplateMap>>(&over)) {
    for (const auto& [key, value] : (*map)->entries) {
      if (!go(key, value)) break;
    }
  } else if (const auto* labels = std::get_if<TemplateLabels>(&over)) {
    for (const LabelView& label : **labels) {
      if (!go(std::string(label.name), std::string(label.value))) break;
    }
  } else if (const auto* count = std::get_if<std::int64_t>(&over)) {
    for (std::int64_t i = 0; i < *count && go(i, i); ++i) {
    }
  } else if (!std::holds_alternative<std::monostate>(over)) {
    return fail(Errc::invalid_argument, "range can't iterate over {}", go_print(over));
  }
  if (error) return *error;
  return any;
}

Result<Flow> Expansion::range(const Template::Node& node) {
  const Block outer(*this);
  const Template::Node::Branch& loop = node.branches.front();
  const auto over = value_of(*loop.pipeline);
  if (!over) return over.error();
  const auto any = rounds(loop, *over);
  if (!any) return any.error();
  if (*any || node.branches.size() < 2) return Flow::on;
  return nodes(node.branches[1].body);
}

Result<Flow> Expansion::node(const Template::Node& node) {
  using enum Template::Node::Kind;
  switch (node.kind) {
    case text:
      out_ += node.text;
      return Flow::on;
    case action:
      return this->action(node);
    case branch:
    case with:
      return this->branch(node);
    case range:
      return this->range(node);
    case leave_loop:
      return Flow::leave_loop;
    case next_round:
      return Flow::next_round;
    case call:
      break;
  }
  TemplateValue data;
  if (node.pipeline) {
    auto given = value_of(*node.pipeline);
    if (!given) return given.error();
    data = std::move(*given);
  }
  if (const auto done = this->call(node.text, std::move(data)); !done) return done.error();
  return Flow::on;
}

Result<Flow> Expansion::nodes(const std::vector<Template::Node>& nodes) {
  for (const Template::Node& each : nodes) {
    if (const auto fine = step(); !fine) return fine.error();
    auto flow = node(each);
    if (!flow || *flow != Flow::on) return flow;
  }
  if (const auto fine = step(); !fine) return fine.error();
  return Flow::on;
}

}  // namespace

Template::Template() = default;
Template::~Template() = default;
Template::Template(Template&&) noexcept = default;
Template& Template::operator=(Template&&) noexcept = default;

Result<Template> Template::parse(std::string_view text) {
  auto tree = parse_template(text);
  if (!tree) return tree.error();
  Template result;
  result.tree_ = std::make_unique<const Tree>(std::move(*tree));
  return result;
}

Result<std::string> Template::expand(const TemplateData& data) const {
  if (!tree_) return std::string();
  return Expansion(*tree_, data).run();
}

std::string Template::expand_or_error(const TemplateData& data) const {
  auto text = expand(data);
  return text ? std::move(*text) : fmt::format("<error expanding template: {}>", text.error().message);
}

bool Template::queries() const {
  return tree_ && tree_->queries;
}

}  // namespace vigil::rules
