#include "common/flags/help.h"

#include "common/text/human.h"

#include <fmt/format.h>

namespace vigil {
namespace {

constexpr std::size_t kWidth = 80;
constexpr std::size_t kTextAt = 26;

/// `text` in lines of at most `room` bytes, broken at spaces; its own line breaks stay.
std::vector<std::string> wrapped(std::string_view text, std::size_t room) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    std::size_t end = std::min(text.find('\n'), text.size());
    if (end > room) {
      const std::size_t space = text.rfind(' ', room);
      end = space == std::string_view::npos || space == 0 ? std::min(text.find_first_of(" \n"), text.size())
                                                          : space;
    }
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

/// A name at the left, what it is at the right; below each other where the name is long.
std::string entry(std::string_view name, std::string_view text) {
  std::string out = fmt::format("  {}", name);
  if (out.size() + 2 > kTextAt) {
    out += '\n' + std::string(kTextAt, ' ');
  } else {
    out.append(kTextAt - out.size(), ' ');
  }
  bool first = true;
  for (const std::string& line : wrapped(text, kWidth - kTextAt)) {
    if (!first) out += '\n' + std::string(kTextAt, ' ');
    out += line;
    first = false;
  }
  return out + '\n';
}

class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_description(const CLI::App* app) const override {
    std::string out;
    for (const std::string& line : wrapped(app->get_description(), kWidth)) out += line + '\n';
    return out + '\n';
  }
  std::string make_subcommand(const CLI::App* sub) const override {
    return entry(sub->get_name(), sub->get_description());
  }
  std::string make_option(const CLI::Option* option, bool is_positional) const override {
    std::string text = option->get_description();
    if (!option->get_default_str().empty()) text += fmt::format(" [{}]", option->get_default_str());
    if (!option->get_envname().empty()) text += fmt::format(" (or ${})", option->get_envname());
    return entry(is_positional ? option->get_name(true, false) : name_of(*option), text);
  }
  std::string make_footer(const CLI::App* app) const override {
    std::string out;
    for (const std::string& line : wrapped(app->get_footer(), kWidth)) out += line + '\n';
    return out;
  }

 private:
  /// "--interval DURATION"
  static std::string name_of(const CLI::Option& option) {
    std::string name = option.get_name(false, true);
    if (option.get_items_expected_max() == 0) return name;
    std::string type = option.get_type_name();
    if (const std::size_t open = type.find('{'); open != std::string::npos) {
      type = type.substr(open + 1, type.find('}') - open - 1);  // "TEXT:{table,json,csv}"
      std::replace(type.begin(), type.end(), ',', '|');
    } else if (type.find(' ') != std::string::npos) {
      type.resize(type.find(':'));  // behind it are a check's own words: "N:INT in [20 - 500]"
    }
    return name + ' ' + type;
  }
};

std::vector<std::string> flags_of(const CLI::App& app) {
  std::vector<std::string> flags;
  for (const CLI::App* at = &app; at != nullptr; at = at->get_parent()) {
    for (const CLI::Option* option : at->get_options()) {
      for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
    }
  }
  return flags;
}

}  // namespace

std::shared_ptr<CLI::FormatterBase> help_formatter() {
  auto formatter = std::make_shared<HelpFormatter>();
  formatter->label("SUBCOMMAND", "COMMAND");
  formatter->label("Positionals", "Arguments");
  return formatter;
}

std::string explain_usage(const CLI::App& app, const CLI::ParseError& error) {
  std::vector<std::string> unknown;
  const CLI::App* program = &app;  // unknown words end there
  while (program->get_parent() != nullptr) program = program->get_parent();
  for (const std::string& argument : program->remaining(true)) {
    if (argument.starts_with("--")) unknown.push_back(argument.substr(0, argument.find('=')));
  }
  if (unknown.empty() || dynamic_cast<const CLI::ExtrasError*>(&error) == nullptr) return error.what();
  const std::vector<std::string> flags = flags_of(app);
  const std::string_view near = suggest(unknown.front(), flags);
  return near.empty() ? fmt::format("there is no flag {}", unknown.front())
                      : fmt::format("there is no flag {}; did you mean {}?", unknown.front(), near);
}

}  // namespace vigil
