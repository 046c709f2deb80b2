#include "common/doctor/finding.h"

#include "common/text/human.h"

#include <algorithm>
#include <boost/json.hpp>

namespace vigil::doctor {

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::ok:
      return "ok";
    case Verdict::warning:
      return "warning";
    case Verdict::problem:
      break;
  }
  return "problem";
}

Finding ok(std::string_view area, std::string about, std::string seen) {
  return {Verdict::ok, std::string(area), std::move(about), std::move(seen), ""};
}
Finding warning(std::string_view area, std::string about, std::string seen, std::string fix) {
  return {Verdict::warning, std::string(area), std::move(about), std::move(seen), std::move(fix)};
}
Finding problem(std::string_view area, std::string about, std::string seen, std::string fix) {
  return {Verdict::problem, std::string(area), std::move(about), std::move(seen), std::move(fix)};
}

namespace {

std::size_t count(const Findings& findings, Verdict verdict) {
  return static_cast<std::size_t>(
      std::ranges::count(findings, verdict, [](const Finding& finding) { return finding.verdict; }));
}

std::size_t widest(const Findings& findings, std::string Finding::*member) {
  std::size_t width = 0;
  for (const Finding& finding : findings) width = std::max(width, (finding.*member).size());
  return width;
}

/// A text of several lines goes on below its first one.
std::string indented(const std::string& text, std::size_t by) {
  std::string out;
  for (const char c : text) {
    out += c;
    if (c == '\n') out += std::string(by, ' ');
  }
  return out;
}

}  // namespace

bool is_well(const Findings& findings) {
  return count(findings, Verdict::problem) == 0;
}

std::string to_table(const Findings& findings) {
  constexpr std::size_t kVerdict = 9;  // "problem" and two spaces
  const std::size_t area = widest(findings, &Finding::area) + 2;
  const std::size_t about = std::min<std::size_t>(widest(findings, &Finding::about), 40) + 2;
  const std::size_t before_seen = kVerdict + area + about;
  std::string out;
  for (const Finding& finding : findings) {
    out += fmt::format("{:<{}}{:<{}}{:<{}}{}\n", to_string(finding.verdict), kVerdict, finding.area, area,
                       finding.about + (finding.about.size() + 2 > about ? "  " : ""), about,
                       indented(finding.seen, before_seen));
    if (!finding.fix.empty())
      out += fmt::format("{:<{}}fix: {}\n", "", kVerdict + area, indented(finding.fix, kVerdict + area + 5));
  }
  return out + fmt::format("{}, {}, {} in order\n", counted(count(findings, Verdict::problem), "problem"),
                           counted(count(findings, Verdict::warning), "warning"),
                           count(findings, Verdict::ok));
}

std::string to_json(const Findings& findings) {
  boost::json::array list;
  for (const Finding& finding : findings) {
    list.push_back(boost::json::object{{"verdict", to_string(finding.verdict)},
                                       {"area", finding.area},
                                       {"about", finding.about},
                                       {"seen", finding.seen},
                                       {"fix", finding.fix}});
  }
  return boost::json::serialize(list) + "\n";
}

}  // namespace vigil::doctor
