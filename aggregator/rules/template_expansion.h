// One expansion of a template. Internal to the templates.
#pragma once

#include "aggregator/rules/go_format.h"
#include "aggregator/rules/template_set.h"
#include "aggregator/rules/template_tree.h"
#include "common/error.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vigil::rules {

/// What ends the nodes of a loop's body before their end.
enum class Flow : std::uint8_t { on, leave_loop, next_round };

/// One expansion: the variables in force, the text so far, and what is left of the bounds.
class Expansion {
 public:
  Expansion(const Template::Tree& tree, const TemplateData& data) : tree_(tree), data_(data), root_{&data} {}
  /// Of a set's text.
  Expansion(const Template::Tree& tree, const TemplateData& data, const NamedTemplates& named,
            const TemplateLimits& limits)
      : tree_(tree), data_(data), root_{&data}, named_(&named), limits_(limits) {}

  Result<std::string> run(const TemplateStart& start) {
    start_ = &start;
    begin(start.dot);
    if (const auto done = nodes(tree_.nodes); !done) return done.error();
    return std::move(out_);
  }

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
    if (++steps_ > limits_.steps) return fail(Errc::limit, "more than {} steps", limits_.steps);
    // A step may compile a regular expression: steps alone bound no time.
    if (steps_ % kStepsAtATime == 0 && std::chrono::steady_clock::now() > deadline_)
      return fail(Errc::limit, "it takes longer than {} ms", limits_.patience.count());
    if (out_.size() > limits_.text_bytes)
      return fail(Errc::limit, "the text is longer than {} bytes", limits_.text_bytes);
    return {};
  }

  /// Accounts for the text of a value that was made or passed on, so that variables cannot grow without end.
  Result<void> account(const TemplateValue& value);

  /// Of its fields the last `without` are left out.
  Result<TemplateValue> value_of(const Operand& operand, std::size_t without = 0);
  Result<TemplateValue> value_of(const Command& command, const TemplateValue* piped);
  Result<TemplateValue> decide(const Command& command, const TemplateValue* piped);
  Result<TemplateValue> call_method(const Command& command, const TemplateValue* piped);
  Result<std::vector<TemplateValue>> arguments(std::span<const Operand> operands, const TemplateValue* piped);
  Result<TemplateValue> call_named(TemplateArgs args);
  const std::vector<Template::Node>* find_template(const std::string& name) const;
  /// Without what it declares: range gives its variables other values.
  Result<TemplateValue> value_of(const Pipeline& pipeline);
  void name(const Pipeline& pipeline, const TemplateValue& value);

  Result<Flow> nodes(const std::vector<Template::Node>& nodes);
  Result<Flow> node(const Template::Node& node);
  Result<Flow> action(const Template::Node& node);
  Result<Flow> branch(const Template::Node& node);
  Result<Flow> range(const Template::Node& node);
  Result<bool> rounds(const Template::Node::Branch& loop, const TemplateValue& given);
  Result<Flow> round(const Template::Node::Branch& loop, const TemplateValue& key, TemplateValue value);
  Result<void> call(const std::string& name, TemplateValue data);

  const Template::Tree& tree_;
  const TemplateData& data_;
  const TemplateRoot root_;
  const NamedTemplates* named_ = nullptr;  // of a set's text
  const TemplateStart* start_ = nullptr;
  static constexpr int kStepsAtATime = 16;  // between two looks at the clock
  const TemplateLimits limits_;
  const std::chrono::steady_clock::time_point deadline_ = std::chrono::steady_clock::now() + limits_.patience;
  std::vector<Named> variables_;
  TemplateValue dot_;
  std::string out_;
  std::size_t made_ = 0;  // bytes of all texts that went through functions
  int steps_ = 0;
  int calls_ = 0;
};

}  // namespace vigil::rules
