#include "common/config/open_quote.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <sstream>
#include <string>

namespace vigil::config {
namespace {

/// Keeps where the last scalar begins: what is never closed is the last one, as nothing is left behind it.
class LastScalar final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t, const std::string&) override {
    mark_ = mark;
  }
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {
  }
  void OnMapEnd() override {}

  const YAML::Mark& mark() const { return mark_; }

 private:
  YAML::Mark mark_ = YAML::Mark::null_mark();
};

/// Behind what may stand before a scalar: "&anchor ", "!tag ", spaces and line breaks.
std::size_t skip_properties(std::string_view text, std::size_t at) {
  constexpr std::string_view kSpace = " \t\r\n";
  while (at < text.size() && (text[at] == '&' || text[at] == '!')) {
    at = std::min(text.find_first_of(kSpace, at), text.size());
    at = std::min(text.find_first_not_of(kSpace, at), text.size());
  }
  return at;
}

/// Whether the quote at `at` has its end. In '...' a doubled quote is one of the text, in "..." what follows
/// a backslash is.
bool is_closed(std::string_view text, std::size_t at) {
  const char quote = text[at];
  for (++at; at < text.size(); ++at) {
    if (quote == '"' && text[at] == '\\') {
      ++at;
    } else if (text[at] == quote) {
      if (quote == '"' || at + 1 == text.size() || text[at + 1] != quote) return true;
      ++at;
    }
  }
  return false;
}

}  // namespace

std::optional<OpenQuote> find_open_quote(std::string_view text) {
  // UTF-16 and UTF-32, which the library turns into UTF-8 first: its places are not ours.
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  std::istringstream stream{std::string(text)};
  YAML::Parser parser(stream);
  LastScalar last;
  while (parser.HandleNextDocument(last)) {
  }
  if (last.mark().is_null()) return std::nullopt;
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";  // the library counts from behind it
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  const std::size_t at = skip_properties(text, static_cast<std::size_t>(last.mark().pos));
  if (at >= text.size() || (text[at] != '"' && text[at] != '\'') || is_closed(text, at)) return std::nullopt;
  const std::string_view before = text.substr(0, at);
  const auto line = static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n'));
  return OpenQuote{line + 1, at - (before.rfind('\n') + 1) + 1};  // npos + 1 is 0
}

}  // namespace vigil::config
