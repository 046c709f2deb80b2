#include "aggregator/rules/template_expansion.h"

#include "aggregator/rules/template_functions.h"
#include "aggregator/rules/template_object.h"

#include <memory>
#include <optional>
#include <variant>

namespace vigil::rules {
namespace {

constexpr int kMaxCalls = 100;  // templates within templates

}  // namespace

Result<void> Expansion::account(const TemplateValue& value) {
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr) return {};
  made_ += text->size();
  if (text->size() > limits_.text_bytes)
    return fail(Errc::limit, "a text longer than {} bytes", limits_.text_bytes);
  if (made_ > limits_.made_bytes)
    return fail(Errc::limit, "more than {} bytes of text are made", limits_.made_bytes);
  return {};
}

Result<TemplateValue> Expansion::value_of(const Operand& operand, std::size_t without) {
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
  for (const std::string& field : std::span(operand.fields).first(operand.fields.size() - without)) {
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
  if (command.function == nullptr) {
    if (command.operands.size() > 1 || piped != nullptr) return call_method(command, piped);
    return value_of(command.operands.front());
  }
  const auto kind = command.function->kind;
  if (kind == TemplateFunction::Kind::all_of || kind == TemplateFunction::Kind::any_of)
    return decide(command, piped);
  auto args = arguments(command.operands, piped);
  if (!args) return args.error();
  if (kind == TemplateFunction::Kind::plain) {
    for (TemplateValue& arg : *args) arg = plain_value(arg);
  }
  auto result =
      kind == TemplateFunction::Kind::tmpl ? call_named(*args) : command.function->call(*args, data_);
  if (!result) {
    return fail(result.error().code, "error calling {}: {}", command.function->name, result.error().message);
  }
  if (const auto fits = account(*result); !fits) {
    return fail(fits.error().code, "error calling {}: {}", command.function->name, fits.error().message);
  }
  return result;
}

Result<std::vector<TemplateValue>> Expansion::arguments(std::span<const Operand> operands,
                                                        const TemplateValue* piped) {
  std::vector<TemplateValue> args;
  for (const Operand& operand : operands) {
    auto value = value_of(operand);
    if (!value) return value.error();
    if (const auto fits = account(*value); !fits) return fits.error();
    args.push_back(std::move(*value));
  }
  if (piped != nullptr) args.push_back(*piped);
  return args;
}

/// `.Labels.Remove $names`: the last field of the first operand is a method of what stands before it.
Result<TemplateValue> Expansion::call_method(const Command& command, const TemplateValue* piped) {
  const Operand& operand = command.operands.front();
  const std::string& name = operand.fields.back();
  const auto of = value_of(operand, 1);
  if (!of) return of.error();
  const auto* object = std::get_if<TemplateObjectPtr>(&*of);
  if (object == nullptr)
    return fail(Errc::invalid_argument, "{} has arguments but is no method of {}", name, type_name(*of));
  const auto args = arguments(std::span(command.operands).subspan(1), piped);
  if (!args) return args.error();
  auto result = (*object)->member(name, *args);
  if (!result) return fail(result.error().code, "error calling {}: {}", name, result.error().message);
  if (const auto fits = account(*result); !fits) return fits.error();
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

const std::vector<Template::Node>* Expansion::find_template(const std::string& name) const {
  if (const auto own = tree_.defined.find(name); own != tree_.defined.end()) return &own->second;
  if (named_ == nullptr) return nullptr;
  const auto found = named_->find(name);
  return found == named_->end() ? nullptr : &found->second->defined.find(name)->second;
}

Result<void> Expansion::call(const std::string& name, TemplateValue data) {
  const auto* const found = find_template(name);
  if (found == nullptr) return fail(Errc::invalid_argument, "template \"{}\" not defined", name);
  if (calls_ >= kMaxCalls) return fail(Errc::limit, "templates call each other more than {} deep", kMaxCalls);
  ++calls_;
  // It sees none of the variables here.
  auto variables = std::exchange(variables_, {});
  TemplateValue dot = std::exchange(dot_, {});
  begin(std::move(data));
  const auto done = nodes(*found);
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
  if (start_ != nullptr && start_->write) {
    out_ += start_->write(out_, *value);
  } else {
    out_ += std::holds_alternative<std::monostate>(*value) ? "<no value>" : go_print(*value);
  }
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
Result<bool> Expansion::rounds(const Template::Node::Branch& loop, const TemplateValue& given) {
  const TemplateValue over = plain_value(given);
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

}  // namespace vigil::rules
