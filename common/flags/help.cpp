#include "common/flags/help.h"

#include "common/text/human.h"

#include <fmt/format.h>

#include <sstream>

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
    out.append("\n").append(kTextAt, ' ');
  } else {
    out.append(kTextAt - out.size(), ' ');
  }
  bool first = true;
  for (const std::string& line : wrapped(text, kWidth - kTextAt)) {
    if (!first) out.append("\n").append(kTextAt, ' ');
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
    std::istringstream lines(app->get_footer());
    for (std::string line; std::getline(lines, line);) out += footer_line(line);
    return out;
  }

 private:
  /// An example, which is indented, stays one line: folded it would be two commands to the shell.
  static std::string footer_line(const std::string& line) {
    if (line.empty() || line.front() == ' ') return line + '\n';
    return fmt::format("{}\n", fmt::join(wrapped(line, kWidth), "\n"));
  }
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

/// What the library understood last: the program, or the command of a command.
const CLI::App& innermost(const CLI::App& app) {
  const CLI::App* at = &app;
  while (!at->get_subcommands().empty()) at = at->get_subcommands().front();
  return *at;
}

std::vector<std::string> parts_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* part : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(part->get_name());
  return names;
}

/// Of a word where a command is expected: "there is no command 'db plam'; did you mean db plan?"
std::string explain_word(const CLI::App& app, const std::string& word, const std::string& before) {
  const std::string prefix = before.empty() ? "" : before + ' ';
  const std::vector<std::string> parts = parts_of(app);
  const std::string_view near = suggest(word, parts);
  if (!near.empty())
    return fmt::format("there is no command '{}{}'; did you mean {}{}?", prefix, word, prefix, near);
  return fmt::format("there is no command '{}{}'; there are {}{}", prefix, word, prefix,
                     fmt::join(parts, ", " + prefix));
}

/// The library's words for the rest, where they are not ours.
std::string in_our_words(const CLI::ParseError& error) {
  const std::string_view what = error.what();
  constexpr std::string_view kConvert = "Could not convert: ";  // "Could not convert: --limit = x"
  if (const std::size_t equals = what.find(" = "); what.starts_with(kConvert) && equals != what.npos) {
    return fmt::format("{}: '{}' is not a number that fits",
                       what.substr(kConvert.size(), equals - kConvert.size()), what.substr(equals + 3));
  }
  // "--start: 1 required TIME missing"
  if (const std::size_t colon = what.find(": 1 required "); what.ends_with(" missing") && colon != what.npos)
    return fmt::format("{} needs a value behind it", what.substr(0, colon));
  return std::string(what);
}

}  // namespace

std::shared_ptr<CLI::FormatterBase> help_formatter() {
  auto formatter = std::make_shared<HelpFormatter>();
  formatter->label("SUBCOMMAND", "COMMAND");
  formatter->label("Positionals", "Arguments");
  return formatter;
}

std::string commands_used(const CLI::App& app) {
  std::string out;
  for (const CLI::App* at = &app; !at->get_subcommands().empty();) {
    at = at->get_subcommands().front();
    out += (out.empty() ? "" : " ") + at->get_name();
  }
  return out;
}

std::string usage_error(std::string_view program, const CLI::App& app, const CLI::ParseError& error) {
  const std::string used = commands_used(app);
  return fmt::format("{0}: {1}\n`{0} {2}{3}--help` explains it\n", program, explain_usage(app, error), used,
                     used.empty() ? "" : " ");
}

std::string explain_usage(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App& command = innermost(app);
  std::string word;  // the first that nobody wants
  std::string flag;
  for (const std::string& argument : app.remaining(true)) {
    std::string& first = argument.starts_with("--") ? flag : word;
    if (first.empty() && argument != "--") first = argument;
  }
  flag.resize(std::min(flag.size(), flag.find('=')));
  const bool extras = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr;
  const std::string used = commands_used(app);
  const std::vector<std::string> parts = parts_of(command);
  if (extras && !flag.empty()) {
    const std::vector<std::string> flags = flags_of(command);
    const std::string_view near = suggest(flag, flags);
    return near.empty() ? fmt::format("there is no flag {}", flag)
                        : fmt::format("there is no flag {}; did you mean {}?", flag, near);
  }
  const bool required = dynamic_cast<const CLI::RequiredError*>(&error) != nullptr;
  if ((extras || required) && !word.empty() && !parts.empty()) return explain_word(command, word, used);
  if (extras && !word.empty()) return fmt::format("'{}' is one word too many", word);
  if (required && !parts.empty() && command.get_require_subcommand_min() > 0)
    return fmt::format("{}: which? There are {}", used.empty() ? "a command is missing" : used,
                       fmt::join(parts, ", "));
  return in_our_words(error);
}

}  // namespace vigil
