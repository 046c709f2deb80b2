#include "common/config/fields.h"

#include "common/config/open_quote.h"
#include "common/text/human.h"
#include "common/text/utf8.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <unordered_set>

namespace vigil::config {

namespace {

constexpr int kMaxDepth = 64;
// What is read, aliases written out. What people write into kMaxFileBytes is a quarter of it.
constexpr std::size_t kMaxValues = 200'000;
constexpr std::size_t kMaxTextBytes = 4 * kMaxFileBytes;

}  // namespace

struct Value::Shared {
  std::string name;
  std::vector<std::string> errors;
  std::vector<std::string> warnings;
  std::size_t values = 0;
  std::size_t text_bytes = 0;
  bool exhausted = false;
};

struct Value::Node {
  YAML::Node yaml;
  std::string path;
  std::shared_ptr<Shared> shared;
  YAML::Mark key = YAML::Mark::null_mark();  // of an entry: where its key stands
  int depth = 0;

  std::shared_ptr<const Node> child(const YAML::Node& from, std::string child_path) const {
    return std::make_shared<const Node>(
        Node{from, std::move(child_path), shared, YAML::Mark::null_mark(), depth + 1});
  }
  /// Whether what is in here may be read. An alias may lead to what it stands in.
  bool enter() const {
    if (depth <= kMaxDepth) return spend(yaml.size(), 0);
    report(yaml.Mark(), path, fmt::format("nested more than {} levels deep", kMaxDepth));
    return false;
  }
  std::string line_of(const YAML::Mark& mark, std::string_view where, std::string_view message) const {
    std::string line =
        mark.is_null() ? shared->name : fmt::format("{}:{}:{}", shared->name, mark.line + 1, mark.column + 1);
    if (!where.empty()) line += fmt::format(": {}", where);
    return fmt::format("{}: {}", line, message);
  }
  void report(const YAML::Mark& mark, std::string_view where, std::string_view message) const {
    if (shared->exhausted) return;  // what is missing from here on is nobody's mistake
    shared->errors.push_back(line_of(mark, where, message));
  }
  /// Whether so much more may be read. Says so once, where it ended.
  bool spend(std::size_t values, std::size_t text_bytes) const {
    if (shared->exhausted) return false;
    shared->values += values;
    shared->text_bytes += text_bytes;
    if (shared->values <= kMaxValues && shared->text_bytes <= kMaxTextBytes) return true;
    report(
        yaml.Mark(), path,
        fmt::format("too much to read from here on: more than {} values or {} MiB of text, with each alias "
                    "(*name) written out; use fewer aliases, or several files",
                    kMaxValues, kMaxTextBytes >> 20));
    shared->exhausted = true;
    return false;
  }
};

bool Value::is_scalar() const {
  return node_->yaml.IsScalar();
}

std::optional<std::string> Value::scalar(std::string_view expected) const {
  if (node_->yaml.IsScalar()) {
    if (!node_->spend(0, node_->yaml.Scalar().size())) return std::nullopt;
    return node_->yaml.Scalar();
  }
  error(fmt::format("expected {}, found {}", expected,
                    node_->yaml.IsMap()        ? "a mapping"
                    : node_->yaml.IsSequence() ? "a list"
                                               : "nothing"));
  return std::nullopt;
}

std::vector<Value> Value::items() const {
  std::vector<Value> items;
  if (node_->yaml.IsNull()) return items;
  if (!node_->yaml.IsSequence()) {
    error("expected a list: lines that start with '- ', or [a, b]");
    return items;
  }
  if (!node_->enter()) return items;
  for (std::size_t i = 0; i < node_->yaml.size(); ++i) {
    items.emplace_back(node_->child(node_->yaml[i], fmt::format("{}[{}]", node_->path, i)));
  }
  return items;
}

namespace {

constexpr std::string_view kMergeKey = "<<";

bool is_merge(const YAML::Node& key) {
  return key.IsScalar() && key.Scalar() == kMergeKey;
}

/// The mappings that `map` takes the keys of, nearest first: https://yaml.org/type/merge.html
void add_merged(const YAML::Node& map, int depth, std::vector<YAML::Node>& out) {
  if (depth > kMaxDepth || !map.IsMap()) return;
  for (const auto& pair : map) {
    if (!is_merge(pair.first)) continue;
    std::vector<YAML::Node> others;
    if (pair.second.IsSequence()) {
      for (const auto& other : pair.second) others.push_back(other);
    } else {
      others.push_back(pair.second);
    }
    for (const YAML::Node& other : others) {
      if (out.size() > static_cast<std::size_t>(kMaxDepth)) return;
      out.push_back(other);
      add_merged(other, depth + 1, out);
    }
  }
}

std::vector<YAML::Node> merged(const YAML::Node& map) {
  std::vector<YAML::Node> out;
  add_merged(map, 0, out);
  return out;
}

}  // namespace

std::vector<std::pair<std::string, Value>> Value::entries() const {
  std::vector<std::pair<std::string, Value>> entries;
  if (node_->yaml.IsNull()) return entries;
  if (!node_->yaml.IsMap()) {
    error("expected a mapping of keys to values");
    return entries;
  }
  if (!node_->enter()) return entries;
  std::unordered_set<std::string> seen;
  const auto add = [&](const YAML::Node& map, bool own) {
    for (const auto& pair : map) {
      if (is_merge(pair.first)) continue;
      const std::string key = pair.first.IsScalar() ? pair.first.Scalar() : "";
      const std::string path = node_->path.empty() ? key : node_->path + '.' + key;
      if (!seen.insert(key).second) {
        if (!own) continue;
        node_->report(pair.first.Mark(), path, "this key is written twice");
      }
      auto entry = std::make_shared<Node>(*node_->child(pair.second, path));
      entry->key = pair.first.Mark();
      entries.emplace_back(key, Value(std::move(entry)));
    }
  };
  add(node_->yaml, true);
  for (const YAML::Node& other : merged(node_->yaml)) {
    if (!other.IsMap()) {
      node_->report(other.Mark(), node_->path, "<< takes a mapping, or a list of them");
    } else if (node_->spend(other.size(), 0)) {
      add(other, false);
    }
  }
  return entries;
}

Value Value::find(std::string_view key) const {
  if (node_ == nullptr || !node_->yaml.IsMap()) return Value();
  const std::string name(key);
  const auto made = [&](const YAML::Node& found) {
    return Value(node_->child(found, node_->path.empty() ? name : fmt::format("{}.{}", node_->path, key)));
  };
  const YAML::Node& here = node_->yaml;  // as a constant: looking must not insert
  if (const YAML::Node found = here[name]; found.IsDefined()) return made(found);
  for (const YAML::Node& other : merged(here)) {
    if (!other.IsMap()) continue;
    if (const YAML::Node found = other[name]; found.IsDefined()) return made(found);
  }
  return Value();
}

void Value::error(std::string_view message) const {
  node_->report(node_->yaml.Mark(), node_->path, message);
}

void Value::warn(std::string_view message) const {
  node_->shared->warnings.push_back(node_->line_of(node_->yaml.Mark(), node_->path, message));
}

void Value::error_at_key(std::string_view message) const {
  node_->report(node_->key.is_null() ? node_->yaml.Mark() : node_->key, node_->path, message);
}

int Value::line() const {
  return node_->yaml.Mark().line + 1;
}

std::string Value::where() const {
  if (node_ == nullptr) return {};
  const YAML::Mark mark = node_->yaml.Mark();
  return fmt::format("{}:{}:{}", node_->shared->name, mark.line + 1, mark.column + 1);
}

namespace {

/// Takes "files", "[2]" or "slack" off the front of a path.
std::string_view take_step(std::string_view& path) {
  if (path.starts_with('.')) path.remove_prefix(1);
  const bool item = path.starts_with('[');
  const std::size_t end = item ? path.find(']') + 1 : path.find_first_of(".[");
  const std::string_view step = path.substr(0, end);
  path.remove_prefix(step.size());
  return step;
}

}  // namespace

std::string Value::say(std::string_view below, std::string_view message) const {
  YAML::Node at = node_->yaml;
  for (std::string_view rest = below; !rest.empty();) {
    const std::string_view step = take_step(rest);
    std::size_t index = 0;
    if (step.starts_with('[')) std::from_chars(step.data() + 1, step.data() + step.size(), index);
    const bool fits = step.starts_with('[') ? at.IsSequence() && index < at.size() : at.IsMap();
    if (!fits) break;
    const YAML::Node& here = at;  // as a constant: looking must not insert
    const YAML::Node next = step.starts_with('[') ? here[index] : here[std::string(step)];
    if (!next.IsDefined()) break;
    at.reset(next);
  }
  const bool dot = !node_->path.empty() && !below.empty() && !below.starts_with('[');
  const std::string path = fmt::format("{}{}{}", node_->path, dot ? "." : "", below);
  const bool nowhere = node_->path.empty() && at.is(node_->yaml);  // the whole file is no place
  return node_->line_of(nowhere ? YAML::Mark::null_mark() : at.Mark(), path, message);
}

std::string Value::beside(const std::string& path) const {
  if (path.empty() || path.front() == '/' || node_ == nullptr) return path;
  return (std::filesystem::path(node_->shared->name).parent_path() / path).string();
}

std::string Value::text() const {
  return node_ == nullptr ? std::string() : YAML::Dump(node_->yaml);
}

std::string Place::say(std::string_view key, std::string_view message) const {
  if (const auto flag = flags_.find(key); flag != flags_.end())
    return fmt::format("{}: {}", flag->second, message);
  if (value_) return value_.say(key, message);
  return key.empty() ? std::string(message) : fmt::format("{}: {}", key, message);
}

void Fields::path(std::string_view key, std::string& value, std::string_view doc) {
  field(key, value, doc);
  if (collecting_ != nullptr) {
    collecting_->back().type = "path";
  } else if (const Value found = value_.find(key)) {
    value = found.beside(value);
  }
}

void Fields::paths(std::string_view key, std::vector<std::string>& value, std::string_view doc) {
  field(key, value, doc);
  if (collecting_ != nullptr) {
    collecting_->back().type = "list of paths";
  } else if (const Value found = value_.find(key)) {
    for (std::string& path : value) path = found.beside(path);
  }
}

void Fields::without_effect(std::string_view key, std::string_view why) {
  if (collecting_ != nullptr || listing_ != nullptr) return;
  known_.emplace_back(key);
  if (const Value found = value_.find(key)) found.warn(why);
}

void Fields::require(std::string_view key, bool holds, std::string_view message) {
  constexpr std::string_view kLimit = "must be ";  // what does not begin so is no limit one could write down
  if (collecting_ != nullptr) {
    for (Entry& entry : *collecting_) {
      if (entry.path == prefix_ + std::string(key) && message.starts_with(kLimit))
        entry.doc += fmt::format(" Must be {}.", message.substr(kLimit.size()));
    }
    return;
  }
  if (holds || listing_ != nullptr) return;
  if (const Value found = value_.find(key)) found.error(message);
}

void Fields::choice_error(std::string_view key, const std::vector<std::string_view>& words) {
  value_.find(key).error(fmt::format("must be one of {}", fmt::join(words, ", ")));
}

void Fields::finish() {
  if (!value_) return;
  for (const auto& [key, value] : value_.entries()) {
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    const std::string_view nearest = suggest(key, known_);
    value.error_at_key(nearest.empty() ? fmt::format("unknown key; known are {}", fmt::join(known_, ", "))
                                       : fmt::format("unknown key; did you mean {}?", nearest));
  }
}

namespace {

template <class T>
void decode_number(const Value& value, T& out, std::string_view expected) {
  const auto text = value.scalar(expected);
  if (!text) return;
  T parsed{};
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), parsed);
  if (error != std::errc{} || end != text->data() + text->size() ||
      !std::isfinite(static_cast<double>(parsed))) {
    value.error(fmt::format("'{}' is not {}", *text, expected));
    return;
  }
  out = parsed;
}

}  // namespace

void decode(const Value& value, bool& out) {
  const auto text = value.scalar("true or false");
  if (!text) return;
  if (*text == "true" || *text == "yes" || *text == "on") {
    out = true;
  } else if (*text == "false" || *text == "no" || *text == "off") {
    out = false;
  } else {
    value.error(fmt::format("'{}' is not true or false", *text));
  }
}

void decode(const Value& value, std::int64_t& out) {
  decode_number(value, out, "a whole number");
}
void decode(const Value& value, int& out) {
  decode_number(value, out, "a whole number");
}
void decode(const Value& value, std::uint32_t& out) {
  decode_number(value, out, "a whole number of 0 or more");
}
void decode(const Value& value, double& out) {
  decode_number(value, out, "a number");
}

void decode(const Value& value, std::string& out) {
  if (auto text = value.scalar("text")) out = std::move(*text);
}

void decode(const Value& value, std::chrono::milliseconds& out) {
  const auto text = value.scalar("a duration such as 30s");
  if (!text) return;
  const auto duration = parse_duration(*text);
  if (duration) {
    out = *duration;
  } else {
    value.error(duration.error().message);
  }
}

void decode(const Value& value, Bytes& out) {
  const auto text = value.scalar("a size such as 64MB");
  if (!text) return;
  const auto bytes = parse_bytes(*text);
  if (bytes) {
    out.count = *bytes;
  } else {
    value.error(bytes.error().message);
  }
}

std::string print(const bool& value) {
  return value ? "true" : "false";
}
std::string print(const std::int64_t& value) {
  return fmt::format("{}", value);
}
std::string print(const double& value) {
  return fmt::format("{}", value);
}
std::string print(const std::string& value) {
  return value;
}
std::string print(const std::chrono::milliseconds& value) {
  return format_duration(value);
}
std::string print(const Bytes& value) {
  for (const auto& [suffix, size] :
       {std::pair<std::string_view, std::uint64_t>{"GiB", 1ULL << 30}, {"MiB", 1ULL << 20}, {"KiB", 1024}}) {
    if (value.count >= size && value.count % size == 0)
      return fmt::format("{}{}", value.count / size, suffix);
  }
  return fmt::format("{}", value.count);
}

namespace {

/// The YAML library recurses with the nesting of its input: refuse what would exhaust the stack before it
/// gets there.
bool too_deep(std::string_view text) {
  int flow = 0;
  std::size_t line_start = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '[' || text[i] == '{') ++flow;
    if (text[i] == ']' || text[i] == '}') flow = std::max(flow - 1, 0);
    if (flow > kMaxDepth) return true;
    if (text[i] == '\n') line_start = i + 1;
    // "- - - - x" and deep indentation nest without brackets.
    if (text[i] == '-' && i - line_start > std::size_t{4} * kMaxDepth &&
        text.substr(line_start, i - line_start).find_first_not_of("- ?") == std::string_view::npos) {
      return true;
    }
  }
  return false;
}

}  // namespace

Result<Document> Document::parse(std::string_view text, std::string name) {
  if (text.size() > kMaxFileBytes) return fail(Errc::limit, "{}: larger than 1 MiB", name);
  if (const std::size_t good = utf8_length(text); good < text.size()) {
    const std::string_view before = text.substr(0, good);
    const auto line_start = before.rfind('\n') + 1;  // 0 on the first line
    return fail(Errc::parse, "{}:{}:{}: not UTF-8: the byte 0x{:02x} is no character; save the file as UTF-8",
                name, std::count(before.begin(), before.end(), '\n') + 1, good - line_start + 1,
                static_cast<unsigned char>(text[good]));
  }
  if (too_deep(text)) return fail(Errc::limit, "{}: nested more than {} levels deep", name, kMaxDepth);
  Document document;
  document.state_ = std::make_shared<Value::Shared>();
  document.state_->name = std::move(name);
  YAML::Node root;
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(std::string(text));
    if (const auto quote = find_open_quote(text))
      return fail(Errc::parse, "{}:{}:{}: this quote is never closed", document.state_->name, quote->line,
                  quote->column);
    if (documents.size() > 1) {
      const YAML::Mark mark = documents[1].Mark();
      return fail(Errc::parse, "{}:{}:{}: a second document begins here, after '---': only one is read",
                  document.state_->name, mark.line + 1, mark.column + 1);
    }
    if (!documents.empty()) root = documents.front();
  } catch (const YAML::Exception& error) {  // the library's only way to say so; no further than here
    return fail(Errc::parse, "{}:{}:{}: not valid YAML: {}", document.state_->name, error.mark.line + 1,
                error.mark.column + 1, error.msg);
  }
  if (!root.IsDefined() || root.IsNull()) root = YAML::Node(YAML::NodeType::Map);
  if (!root.IsMap())
    return fail(Errc::parse, "{}:1:1: expected a mapping of keys to values", document.state_->name);
  document.root_ = Value(std::make_shared<const Value::Node>(Value::Node{root, "", document.state_}));
  return document;
}

Result<void> Document::result() const {
  if (state_->errors.empty()) return {};
  return fail(Errc::invalid_argument, "{}", fmt::join(state_->errors, "\n"));
}

std::vector<std::string> Document::warnings() const {
  return state_->warnings;
}

std::string to_markdown(const std::vector<Entry>& entries) {
  std::string out = "| key | type | default | meaning |\n| --- | --- | --- | --- |\n";
  const auto escaped = [](std::string_view text) {
    std::string cell;
    for (const char c : text) {
      if (c == '|') cell += '\\';
      cell += c;
    }
    return cell;
  };
  for (const Entry& entry : entries) {
    out += fmt::format("| `{}` | {} | {} | {} |\n", entry.path, escaped(entry.type),
                       entry.fallback.empty() ? "" : '`' + escaped(entry.fallback) + '`', escaped(entry.doc));
  }
  return out;
}

}  // namespace vigil::config
