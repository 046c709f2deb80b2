#include "aggregator/rules/expectations.h"

#include "aggregator/promql/ast.h"
#include "aggregator/promql/parser.h"
#include "aggregator/promql/storage.h"
#include "common/text/ascii.h"
#include "common/text/human.h"
#include "common/text/quotes.h"
#include "common/text/utf8.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <string_view>

namespace vigil::rules {
namespace {

/// At least this long: a host that has just begun to send knows its runtime a little later.
constexpr std::chrono::milliseconds kNoRuntimeFor = std::chrono::minutes(5);

bool is_pattern_of_names(std::string_view name) {
  return name.find_first_of("*?") != std::string_view::npos;
}

/// What names of hosts and containers are made of, so that they mean nothing else in PromQL or a template.
bool is_plain(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](unsigned char c) {
    return std::isalnum(c) != 0 ||
           std::string_view("-_.:/@*?").find(static_cast<char>(c)) != std::string_view::npos;
  });
}

/// A pattern as a regular expression.
std::string regex_of(std::string_view pattern) {
  std::string out;
  for (const char c : pattern) {
    if (c == '*') {
      out += ".*";
    } else if (c == '?') {
      out += '.';
    } else {
      if (c == '.') out += '\\';
      out += c;
    }
  }
  return out;
}

std::string regex_of(const std::vector<std::string>& patterns) {
  std::vector<std::string> all;
  all.reserve(patterns.size());
  for (const std::string& pattern : patterns) all.push_back(regex_of(pattern));
  return fmt::format("{}", fmt::join(all, "|"));
}

/// As they may be called in an agent's configuration, which in a selector need no quotes.
bool is_label_of_agents(std::string_view name) {
  return !name.empty() && !is_digit(name.front()) && !name.starts_with("__") &&
         std::ranges::all_of(name, [](char c) { return is_letter(c) || is_digit(c); });
}

/// As a selector takes it: what was pushed may have any name.
std::string label_text(std::string_view name) {
  return is_label_of_agents(name) || name.starts_with("__") ? std::string(name) : in_quotes(name);
}

/// "instance=~...,role=...," for a selector.
std::string matchers_of(const WhichHosts& hosts) {
  std::string out;
  if (!hosts.names.empty()) out += fmt::format("instance=~{},", in_quotes(regex_of(hosts.names)));
  for (const auto& [name, value] : hosts.labels)
    out += fmt::format("{}={},", label_text(name), in_quotes(value));
  return out;
}

/// For the name of a group: which hosts it is about.
std::string title_of(const WhichHosts& hosts) {
  std::vector<std::string> words = hosts.names;
  for (const auto& [name, value] : hosts.labels) words.push_back(fmt::format("{}={}", name, value));
  return words.empty() ? "all hosts" : fmt::format("{}", fmt::join(words, " "));
}

struct Text {
  std::string alert;
  std::string expr;
  std::string extras;  // ", key: value"
  std::chrono::milliseconds hold{};
  std::string severity;
  std::string label;  // "name: ...", or ""
  std::string summary;
  std::string description;
  std::string value;
};

std::string rule_text(const Text& rule) {
  return fmt::format(
      "      - {{alert: {}, expr: {}{}, for: {}, labels: {{severity: {}{}}}, annotations: {{summary: {}, "
      "description: {}, value: {}}}}}\n",
      rule.alert, in_quotes(rule.expr), rule.extras, in_quotes(format_duration(rule.hold)),
      in_quotes(rule.severity), rule.label.empty() ? "" : ", " + rule.label, in_quotes(rule.summary),
      in_quotes(rule.description), in_quotes(rule.value));
}

constexpr std::string_view kMissing =
    "The configuration of the aggregator (rules.expected_containers) wants it to run. `docker ps -a` on the "
    "host shows what became of it.";

/// Hosts whose container runtimes all answer: of others nobody knows what runs.
std::string answering(const std::string& matchers) {
  return fmt::format("min by (instance) (vigil_container_runtime_up{{{}}}) == 1", matchers);
}

/// Of each of the names an alert of its own, by one look at the host's containers.
std::string named_text(const ExpectedContainers& expected, const std::vector<std::string>& names,
                       const std::string& matchers) {
  std::vector<std::string> wanted;
  wanted.reserve(names.size());
  for (const std::string& name : names)
    wanted.push_back(fmt::format(R"(label_replace({}, "name", "{}", "", ""))", answering(matchers), name));
  const std::string known = fmt::format("{}", fmt::join(wanted, " or "));
  const std::string running = fmt::format(R"(container_state{{{}name=~{},state="running"}} == 1)", matchers,
                                          in_quotes(regex_of(names)));
  return rule_text({"ContainerMissing", fmt::format("({}) unless on (instance, name) ({})", known, running),
                    ", known: " + in_quotes(known), expected.hold, expected.severity, "",
                    "{{ $labels.name }} does not run on {{ $labels.instance }}", std::string(kMissing),
                    "not running"});
}

std::string pattern_text(const ExpectedContainers& expected, const std::string& pattern,
                         const std::string& matchers) {
  const std::string running = fmt::format(R"(container_state{{{}name=~{},state="running"}} == 1)", matchers,
                                          in_quotes(regex_of(pattern)));
  return rule_text({"ContainerMissing",
                    fmt::format("({}) unless on (instance) ({})", answering(matchers), running),
                    ", known: " + in_quotes(answering(matchers)), expected.hold, expected.severity,
                    "name: " + in_quotes(pattern), "No " + pattern + " runs on {{ $labels.instance }}",
                    std::string(kMissing), "not running"});
}

std::string no_runtime_text(const ExpectedContainers& expected, const std::string& matchers) {
  return rule_text(
      {"ContainerMissing",
       fmt::format("max by (instance) (node_scrape_collector_success{{{0}}}) unless on (instance) "
                   "vigil_container_runtime_up{{{0}}}",
                   matchers),
       "", std::max(expected.hold, kNoRuntimeFor), expected.severity, "",
       fmt::format("{{{{ $labels.instance }}}} has no container runtime, and is to run {}",
                   fmt::join(expected.names, ", ")),
       "The configuration of the aggregator (rules.expected_containers) wants it to. Its agent has found no "
       "socket of Docker or Podman; `vigil-agent doctor` on the host says why.",
       "no runtime"});
}

std::string containers_text(const ExpectedContainers& expected) {
  const std::string matchers = matchers_of(expected.hosts);
  std::vector<std::string> names;
  std::string out;
  for (const std::string& name : expected.names) {
    if (!is_pattern_of_names(name)) names.push_back(name);
  }
  if (!names.empty()) out += named_text(expected, names, matchers);
  out += no_runtime_text(expected, matchers);
  for (const std::string& name : expected.names) {
    if (is_pattern_of_names(name)) out += pattern_text(expected, name, matchers);
  }
  return out;
}

std::string steady_text(const SteadySeries& steady, const promql::VectorSelector& selector) {
  std::string matchers = matchers_of(steady.hosts);
  for (const promql::Matcher& matcher : selector.matchers) {
    constexpr std::string_view kOperators[] = {"=", "!=", "=~", "!~"};
    matchers += fmt::format("{}{}{},", label_text(matcher.name()),
                            kOperators[static_cast<std::size_t>(matcher.op())], in_quotes(matcher.value()));
  }
  return rule_text(
      {"SeriesStale", fmt::format("{{{}}} < -Inf", matchers),  // never true by itself
       ", on_no_data: alert, steady: " + in_quotes(format_duration(steady.steady)), steady.hold,
       steady.severity, "",
       fmt::format("{{{{ {} }}}} of {{{{ $labels.instance }}}} has stopped", in_quotes(steady.series)),
       "The host sent it steadily (rules.steady_series) and sends other series still. Look at what makes it.",
       "stopped"});
}

/// The selector alone: no range, no offset, no function.
const promql::VectorSelector* plain_selector(const promql::Expr& expr) {
  const auto* selector = std::get_if<promql::VectorSelector>(&promql::strip_parens(expr).node);
  const bool is_shifted =
      selector != nullptr && (selector->shift.offset_ms != 0 || selector->shift.at != promql::AtKind::none);
  return is_shifted ? nullptr : selector;
}

void check_hosts(const WhichHosts& hosts, const config::Place& at, config::Problems& problems) {
  for (std::size_t i = 0; i < hosts.names.size(); ++i) {
    if (!is_plain(hosts.names[i]))
      problems.add(at.wrong(fmt::format("hosts[{}]", i), "is no name of a host, nor a pattern of names"));
  }
  for (const auto& [name, value] : hosts.labels) {
    if (!is_label_of_agents(name))
      problems.add(at.wrong("labels." + printable(name),
                            fmt::format("'{}' is no label's name: use letters, digits and _, no digit and no "
                                        "__ in front, as agents do",
                                        printable(name))));
  }
}

/// Labels that no host can be told by where its containers are asked for.
void warn_of_labels(const ExpectedContainers& expected, std::vector<std::string>& warnings) {
  for (const auto& [name, value] : expected.hosts.labels) {
    const bool is_source = name == "job";
    if (!is_source && name != "name" && name != "state") continue;
    warnings.push_back(expected.at.say(
        "labels." + name,
        is_source
            ? "no host is meant: job is set by vigil, and never by an agent; name hosts by `hosts`"
            : fmt::format("no host is meant: {0} is a label of containers themselves; give the agents a "
                          "label of another name",
                          name)));
  }
}

constexpr std::string_view kHosts = "Names of hosts, or patterns of them such as web-*. Empty: all.";
constexpr std::string_view kLabels = "Only hosts whose agents have these labels.";

}  // namespace

void describe(config::Fields& fields, ExpectedContainers& expected) {
  fields.required(
      "names", expected.names,
      "Containers that must run there, each an alert of its own; of a pattern such as app-* one at "
      "least must.");
  fields.field("hosts", expected.hosts.names, kHosts);
  fields.field("labels", expected.hosts.labels, kLabels);
  fields.field("for", expected.hold, "How long one must be missing before the alert fires.");
  fields.field("severity", expected.severity, "Of the alert.");
}

void describe(config::Fields& fields, SteadySeries& series) {
  fields.required("series", series.series, "PromQL that selects them, such as queue_depth{queue=\"mail\"}.");
  fields.field("hosts", series.hosts.names, kHosts);
  fields.field("labels", series.hosts.labels, kLabels);
  fields.field("steady", series.steady,
               "How long a series must have come without a break: what stops sooner is not missed.");
  fields.field("for", series.hold, "How long it must be missing before the alert fires.");
  fields.field("severity", series.severity, "Of the alert.");
}

Result<std::string> expectations_text(const std::vector<ExpectedContainers>& containers,
                                      const std::vector<SteadySeries>& series,
                                      std::vector<std::string>& warnings) {
  config::Problems problems;
  std::map<std::string, std::string> groups;  // rules by name: two entries may be about the same hosts
  for (const ExpectedContainers& expected : containers) {
    if (expected.names.empty()) problems.add(expected.at.wrong("names", "must not be empty"));
    for (std::size_t i = 0; i < expected.names.size(); ++i) {
      if (!is_plain(expected.names[i]))
        problems.add(expected.at.wrong(fmt::format("names[{}]", i),
                                       "is no name of a container, nor a pattern of names"));
    }
    check_hosts(expected.hosts, expected.at, problems);
    warn_of_labels(expected, warnings);
    groups["containers of " + title_of(expected.hosts)] += containers_text(expected);
  }
  for (const SteadySeries& steady : series) {
    check_hosts(steady.hosts, steady.at, problems);
    const auto parsed = promql::parse(steady.series);
    const promql::VectorSelector* selector = parsed ? plain_selector(**parsed) : nullptr;
    if (!parsed) {
      problems.add(steady.at.wrong("series", parsed.error().message));
    } else if (selector == nullptr) {
      problems.add(steady.at.wrong("series", "must select series by name and labels, and nothing more"));
    } else {
      groups[fmt::format("{} of {}", steady.series, title_of(steady.hosts))] +=
          steady_text(steady, *selector);
    }
  }
  if (auto fine = problems.result(); !fine) return fine.error();
  if (groups.empty()) return std::string();
  std::string out = "groups:\n";
  for (const auto& [name, text] : groups)
    out += fmt::format("  - name: {}\n    interval: 15s\n    rules:\n{}", in_quotes(name), text);
  return out;
}

}  // namespace vigil::rules
