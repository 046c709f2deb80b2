// Configuration as data: each program describes its keys once, and that one description reads YAML, finds
// misspelt keys, fills in defaults and writes the reference in docs/configuration.md.
//
//   struct StoreConfig { std::chrono::milliseconds commit{250}; Bytes max_size{...}; };
//   void describe(config::Fields& fields, StoreConfig& store) {
//     fields.field("commit_interval", store.commit, "How long received samples may wait before they are made
//     durable."); fields.require("commit_interval", store.commit > 0ms, "must be more than 0");
//   }
//
//   Result<void> r = config::load_file("vigil.yml", store);
//   // vigil.yml:3:5: store.comit_interval: unknown key; did you mean commit_interval?
//
// All errors of a document are reported at once, one a line. Nothing of a document with errors is meant to be
// used.
#pragma once

#include "common/config/files.h"
#include "common/error.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace vigil::config {

/// A number of bytes, written as "64MB", "16MiB" or plain.
struct Bytes {
  std::uint64_t count = 0;
  friend auto operator<=>(const Bytes&, const Bytes&) = default;  // NOLINT(modernize-use-nullptr)
};

/// One key as it is set: what two readings of a file are compared by.
struct Setting {
  std::string path;   // "receivers[0].email.from"
  std::string value;  // as one would write it
  friend bool operator==(const Setting&, const Setting&) = default;
};

/// A place in a document: a node of YAML, or nothing when the key is absent or when only documentation is
/// being collected.
class Value {
 public:
  struct Node;    // hides the YAML library
  struct Shared;  // what all values of a document have in common
  Value() = default;
  explicit Value(std::shared_ptr<const Node> node) : node_(std::move(node)) {}
  explicit operator bool() const { return node_ != nullptr; }

  bool is_scalar() const;
  /// The scalar's text; reports an error and gives nothing when this is a list or a mapping.
  std::optional<std::string> scalar(std::string_view expected) const;
  /// The items of a list, the entries of a mapping in the document's order; report an error when this is
  /// something else.
  std::vector<Value> items() const;
  std::vector<std::pair<std::string, Value>> entries() const;
  Value find(std::string_view key) const;
  /// Adds "file:line:column: path: message" to the document's errors.
  void error(std::string_view message) const;
  /// The same, at the key of an entry of entries(): when the key itself is wrong.
  void error_at_key(std::string_view message) const;
  /// Adds the same line to the document's warnings: of what is accepted and not, or not wholly, honoured.
  void warn(std::string_view message) const;
  /// 1-based line of this value in its document.
  int line() const;
  /// "file:line:column", for messages made after the document was read; "" when absent.
  std::string where() const;
  /// The same with what is wrong at `below`, a path such as "slack.webhook_url" or "files[2]":
  /// "file:line:column: receivers[0].slack.webhook_url: message". Where that was not written, the nearest
  /// thing above it that was gives the place. Reports nothing: for checks after the document was read.
  std::string say(std::string_view below, std::string_view message) const;
  /// A path as a user means it in this document: what is not absolute begins at the document's folder.
  std::string beside(const std::string& path) const;
  /// What is written here, as YAML; "" when absent.
  std::string text() const;

 private:
  std::shared_ptr<const Node> node_;
};

/// One documented key.
struct Entry {
  std::string path;      // "receivers[].email.from"
  std::string type;      // "duration", "list of text", …
  std::string fallback;  // the default as one would write it; empty when there is none
  std::string doc;
};

/// Where the values of a struct are from, for what is found wrong with them after reading. Reading fills a
/// member `at` of this type.
class Place {
 public:
  Place() = default;
  Place(Value value)
      : value_(std::move(value)) {}  // NOLINT(google-explicit-constructor): decode() assigns it
  /// The value at the path `key` came from this flag, whatever the document says.
  void set_flag(const std::string& key, std::string flag) { flags_[key] = std::move(flag); }
  /// As Value::say(); "--listen: message" for a flag; "key: message" for a default.
  std::string say(std::string_view key, std::string_view message) const;
  Error wrong(std::string_view key, std::string_view message) const {
    return Error{Errc::invalid_argument, say(key, message)};
  }

 private:
  Value value_;
  std::map<std::string, std::string, std::less<>> flags_;
};

/// All that is wrong, one a line.
class Problems {
 public:
  void add(const Error& error) { text_ += (text_.empty() ? "" : "\n") + error.message; }
  template <class T>
  void add(const Result<T>& result) {
    if (!result) add(result.error());
  }
  Result<void> result() const {
    if (text_.empty()) return {};
    return Error{Errc::invalid_argument, text_};
  }

 private:
  std::string text_;
};

class Fields;

template <class T>
concept Described = requires(Fields& fields, T& value) {
  describe(fields, value);
};

/// The keys of one mapping: passed to describe().
class Fields {
 public:
  /// An optional key; `value` keeps what it holds (the default) when the key is absent.
  template <class T>
  void field(std::string_view key, T& value, std::string_view doc);
  /// A key that must be there.
  template <class T>
  void required(std::string_view key, T& value, std::string_view doc) {
    if (collecting_ == nullptr && value_ && !value_.find(key))
      value_.error(std::string("missing key ") + std::string(key));
    field(key, value, doc);
  }
  /// A key whose value is one of a few words.
  template <class E>
  void choice(std::string_view key, E& value, std::span<const std::pair<std::string_view, E>> words,
              std::string_view doc);
  /// A key with the path of a file or folder; what is not absolute begins at the document's folder.
  void path(std::string_view key, std::string& value, std::string_view doc);
  void paths(std::string_view key, std::vector<std::string>& value, std::string_view doc);
  /// A key that is known and that nothing comes of: where it was written, `why` is a warning.
  void without_effect(std::string_view key, std::string_view why);
  /// Reports `message` at `key` when `holds` is false and the key was written.
  void require(std::string_view key, bool holds, std::string_view message);

  // For load() and document() below.
  explicit Fields(Value value) : value_(std::move(value)) {}
  Fields(std::vector<Entry>& collecting, std::string prefix)
      : collecting_(&collecting), prefix_(std::move(prefix)) {}
  Fields(std::vector<Setting>& listing, std::string prefix)
      : listing_(&listing), prefix_(std::move(prefix)) {}
  /// Reports the keys nobody asked for, with the nearest known one.
  void finish();

 private:
  void choice_error(std::string_view key, const std::vector<std::string_view>& words);

  Value value_;
  std::vector<std::string> known_;
  std::vector<Entry>* collecting_ = nullptr;  // the reference is written
  std::vector<Setting>* listing_ = nullptr;   // what is set is listed
  std::string prefix_;
};

// How each type is read, named and printed. A type of your own needs describe() or these three.
void decode(const Value& value, bool& out);
void decode(const Value& value, std::int64_t& out);
void decode(const Value& value, int& out);
void decode(const Value& value, std::uint32_t& out);
void decode(const Value& value, double& out);
void decode(const Value& value, std::string& out);
void decode(const Value& value, std::chrono::milliseconds& out);
void decode(const Value& value, Bytes& out);
/// As it stands: for what is read by its own rules.
inline void decode(const Value& value, Value& out) {
  out = value;
}
template <Described T>
void decode(const Value& value, T& out);
template <class T>
void decode(const Value& value, std::optional<T>& out);
template <class T>
void decode(const Value& value, std::vector<T>& out);
template <class T>
void decode(const Value& value, std::map<std::string, T>& out);

inline std::string type_name(const bool&) {
  return "true or false";
}
inline std::string type_name(const std::int64_t&) {
  return "whole number";
}
inline std::string type_name(const int&) {
  return "whole number";
}
inline std::string type_name(const std::uint32_t&) {
  return "whole number";
}
inline std::string type_name(const double&) {
  return "number";
}
inline std::string type_name(const std::string&) {
  return "text";
}
inline std::string type_name(const std::chrono::milliseconds&) {
  return "duration";
}
inline std::string type_name(const Value&) {
  return "value";
}
inline std::string type_name(const Bytes&) {
  return "size";
}
template <Described T>
std::string type_name(const T&) {
  return "mapping";
}
template <class T>
std::string type_name(const std::optional<T>&) {
  return type_name(T{});
}
template <class T>
std::string type_name(const std::vector<T>&) {
  return "list of " + type_name(T{});
}
template <class T>
std::string type_name(const std::map<std::string, T>&) {
  return "mapping to " + type_name(T{});
}

std::string print(const bool& value);
std::string print(const std::int64_t& value);
std::string print(const double& value);
std::string print(const std::string& value);
std::string print(const std::chrono::milliseconds& value);
std::string print(const Bytes& value);
inline std::string print(const int& value) {
  return print(static_cast<std::int64_t>(value));
}
inline std::string print(const std::uint32_t& value) {
  return print(static_cast<std::int64_t>(value));
}
inline std::string print(const Value& value) {
  return value.text();
}
/// Of lists and mappings the docs of their own keys tell.
struct NoText {
  operator std::string() const { return {}; }  // NOLINT(google-explicit-constructor): stands for a text
};
template <class T>
NoText print(const T&) {
  return {};
}

/// Collects the keys below one value: nothing for scalars.
template <class T>
void document_below(const T&, std::vector<Entry>&, const std::string&) {}
template <Described T>
void document_below(const T& value, std::vector<Entry>& entries, const std::string& path) {
  T copy = value;
  Fields fields(entries, path.empty() ? "" : path + ".");
  describe(fields, copy);
}
template <class T>
void document_below(const std::vector<T>&, std::vector<Entry>& entries, const std::string& path) {
  document_below(T{}, entries, path + "[]");
}
template <class T>
void document_below(const std::optional<T>&, std::vector<Entry>& entries, const std::string& path) {
  document_below(T{}, entries, path);
}
template <class T>
void document_below(const std::map<std::string, T>&, std::vector<Entry>& entries, const std::string& path) {
  document_below(T{}, entries, path + ".<name>");
}

/// Lists what is set below one value. Every type is listed, or it does not compile: no key is left out.
template <class T>
void settings_below(const T& value, std::vector<Setting>& settings, const std::string& path) {
  static_assert(!std::is_same_v<decltype(print(value)), NoText>, "this type needs print() or describe()");
  settings.push_back({path, print(value)});
}
template <Described T>
void settings_below(const T& value, std::vector<Setting>& settings, const std::string& path) {
  T copy = value;
  Fields fields(settings, path.empty() ? "" : path + ".");
  describe(fields, copy);
}
template <class T>
void settings_below(const std::optional<T>& value, std::vector<Setting>& settings, const std::string& path) {
  if (value) settings_below(*value, settings, path);
}
template <class T>
void settings_below(const std::vector<T>& value, std::vector<Setting>& settings, const std::string& path) {
  for (std::size_t i = 0; i < value.size(); ++i)
    settings_below(value[i], settings, fmt::format("{}[{}]", path, i));
}
template <class T>
void settings_below(const std::map<std::string, T>& value, std::vector<Setting>& settings,
                    const std::string& path) {
  for (const auto& [key, item] : value) settings_below(item, settings, fmt::format("{}.{}", path, key));
}

template <class T>
void Fields::field(std::string_view key, T& value, std::string_view doc) {
  if (listing_ != nullptr) {
    settings_below(value, *listing_, prefix_ + std::string(key));
    return;
  }
  if (collecting_ != nullptr) {
    const std::string path = prefix_ + std::string(key);
    collecting_->push_back({path, type_name(value), print(value), std::string(doc)});
    document_below(value, *collecting_, path);
    return;
  }
  known_.emplace_back(key);
  if (const Value found = value_.find(key)) decode(found, value);
}

template <class E>
void Fields::choice(std::string_view key, E& value, std::span<const std::pair<std::string_view, E>> words,
                    std::string_view doc) {
  std::vector<std::string_view> names;
  std::string fallback;
  for (const auto& [word, meaning] : words) {
    names.push_back(word);
    if (meaning == value) fallback = word;
  }
  if (listing_ != nullptr) {
    listing_->push_back({prefix_ + std::string(key), fallback});
    return;
  }
  if (collecting_ != nullptr) {
    collecting_->push_back(
        {prefix_ + std::string(key), fmt::format("{}", fmt::join(names, " | ")), fallback, std::string(doc)});
    return;
  }
  known_.emplace_back(key);
  const Value found = value_.find(key);
  if (!found) return;
  const auto text = found.scalar("text");
  if (!text) return;
  for (const auto& [word, meaning] : words) {
    if (word != *text) continue;
    value = meaning;
    return;
  }
  choice_error(key, names);
}

template <Described T>
void decode(const Value& value, T& out) {
  if constexpr (requires { out.at = value; }) out.at = value;  // a Value or Place: where it was written
  Fields fields(value);
  describe(fields, out);
  fields.finish();
}
template <class T>
void decode(const Value& value, std::optional<T>& out) {
  T inner{};
  decode(value, inner);
  out = std::move(inner);
}
template <class T>
void decode(const Value& value, std::vector<T>& out) {
  out.clear();
  for (const Value& item : value.items()) decode(item, out.emplace_back());
}
template <class T>
void decode(const Value& value, std::map<std::string, T>& out) {
  out.clear();
  for (const auto& [key, item] : value.entries()) decode(item, out[key]);
}

/// Text and where it stands, to report what is found wrong with it later.
struct PlacedText {
  std::string text;
  Value at;
};
inline void decode(const Value& value, PlacedText& out) {
  decode(value, out.text);
  out.at = value;
}
inline std::string type_name(const PlacedText&) {
  return "text";
}
inline std::string print(const PlacedText& value) {
  return value.text;
}

/// A parsed document and the errors found in it so far. Of a mapping with YAML's merge key, `<<: *other`, the
/// keys of the other one are its own, unless it has them itself.
class Document {
 public:
  /// Parses YAML; `name` stands in error messages. An empty document is an empty mapping. At most 1 MiB,
  /// nesting at most 64, also of what aliases make of it. Aliases may make a small text large: reading stops
  /// with an error after 200,000 values or 4 MiB of text.
  static Result<Document> parse(std::string_view text, std::string name);
  Value root() const { return root_; }
  /// All errors, one a line, or success.
  Result<void> result() const;
  /// "file:line:column: path: message" each, in the order found.
  std::vector<std::string> warnings() const;

 private:
  std::shared_ptr<Value::Shared> state_;
  Value root_;
};

template <class T>
Result<void> load_text(std::string_view text, std::string name, T& out) {
  auto document = Document::parse(text, std::move(name));
  if (!document) return document.error();
  decode(document->root(), out);
  return document->result();
}

template <class T>
Result<void> load_file(const std::string& path, T& out) {
  const auto text = read_file(path);
  if (!text) return text.error();
  return load_text(*text, path, out);
}

/// Every key below `value`, in the order described: the configuration reference.
template <Described T>
std::vector<Entry> document(const T& value) {
  std::vector<Entry> entries;
  document_below(value, entries, "");
  return entries;
}

/// Every key below `value` as it is set, in the order described. Of a list each item, of what is optional
/// only what is there.
template <Described T>
std::vector<Setting> settings(const T& value) {
  std::vector<Setting> out;
  settings_below(value, out, "");
  return out;
}

/// The reference as a Markdown table.
std::string to_markdown(const std::vector<Entry>& entries);

}  // namespace vigil::config
