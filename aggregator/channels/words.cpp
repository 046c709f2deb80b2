#include "aggregator/channels/words.h"

#include "aggregator/channels/backlog.h"
#include "aggregator/channels/default_texts.h"
#include "aggregator/channels/functions.h"
#include "aggregator/channels/html_output.h"
#include "aggregator/channels/template_data.h"
#include "aggregator/notify/text.h"
#include "aggregator/rules/file_patterns.h"
#include "common/config/files.h"
#include "common/text/utf8.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace vigil::channels {
namespace {

constexpr std::size_t kNoteBytes = 300;
constexpr std::string_view kSubjectAsItIs =
    R"({{ define "__subject_markdown" }}{{ template "__subject" . }}{{ end }})";

/// When not even vigil's own text fits.
std::string last_resort(const notify::Group& group) {
  if (group.alerts.empty()) return "No alerts";
  return notify::cut(
      fmt::format("{} alerts, the first: {}", group.alerts.size(), notify::title_of(group.alerts.front())),
      1000);
}

}  // namespace

Library::Library() : own_(language()), all_(language()) {
  for (const std::string_view text : default_texts()) {
    [[maybe_unused]] const auto added = own_.add(text);
    assert(added);
  }
  all_ = own_;
}

Result<void> Library::add_file(const std::string& path) {
  const auto text = config::read_file(path);
  if (!text) return text.error();
  if (!is_utf8(*text)) return fail(Errc::parse, "{}: not UTF-8", path);
  if (const auto added = all_.add(*text); !added)
    return fail(added.error().code, "{}:{}", path, added.error().message);
  return {};
}

Result<Library> Library::load(const std::vector<std::string>& patterns) {
  Library library;
  config::Problems problems;
  for (const std::string& pattern : patterns) {
    const auto files = rules::matching_files(pattern);
    problems.add(files);
    if (!files) continue;
    // What is no pattern was meant to be there.
    if (files->empty() && !rules::is_pattern(pattern))
      problems.add(Error{Errc::not_found, fmt::format("{}: there is no such template file", pattern)});
    for (const std::string& path : *files) problems.add(library.add_file(path));
  }
  if (const auto fine = problems.result(); !fine) return fine.error();
  // Somebody's own subject stands in the titles of cards, too, where vigil's is another one.
  if (library.redefines("__subject") && !library.redefines("__subject_markdown")) {
    [[maybe_unused]] const auto added = library.all_.add(kSubjectAsItIs);
    assert(added);
  }
  return library;
}

Wording Library::wording(const config::Place& at, std::string_view key,
                         const std::optional<std::string>& said, std::string_view fallback,
                         config::Problems& problems) const {
  Wording made{std::string(key), {}, {}};
  auto own = own_.parse(fallback);
  assert(own);
  made.own = std::move(*own);
  auto parsed = all_.parse(said ? std::string_view(*said) : fallback);
  if (parsed) {
    made.said = std::move(*parsed);
  } else {
    problems.add(at.wrong(key, parsed.error().message));
    made.said = made.own;
  }
  return made;
}

bool Library::redefines(std::string_view prefix) const {
  for (const auto& [name, tree] : all_.named()) {
    if (!name.starts_with(prefix)) continue;
    const auto own = own_.named().find(name);
    if (own == own_.named().end() || own->second != tree) return true;
  }
  return false;
}

Told::Told(const notify::Shipment& from, std::int64_t at_ms, const std::string& external_url)
    : shipment(from), group(merged(from)), data(template_data(group, external_url)), now_ms(at_ms) {}

std::string Writer::write(const Wording& wording, const rules::TemplateStart& start) {
  const auto said = wording.said.expand(start);
  if (said) return well_formed(*said);
  notes_ += fmt::format("{}vigil: the text of {} could not be written: {}", notes_.empty() ? "" : "\n",
                        wording.key, notify::cut(well_formed(said.error().message), kNoteBytes));
  const auto own = wording.own.expand(start);
  return own ? well_formed(*own) : last_resort(told_.group);
}

std::string Writer::text(const Wording& wording) {
  return write(wording, {.dot = told_.data, .now_ms = told_.now_ms});
}

std::string Writer::html(const Wording& wording) {
  return write(wording, {.dot = told_.data, .now_ms = told_.now_ms, .write = HtmlOutput()});
}

}  // namespace vigil::channels
