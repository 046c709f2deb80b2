// The texts of channels: parsed when a configuration is read, written when a message is made. What the
// configuration says is never the reason that an alert is not told of: a text that fails gives way to vigil's
// own, and the message says so.
#pragma once

#include "aggregator/notify/lane.h"
#include "aggregator/notify/notification.h"
#include "aggregator/rules/template_set.h"
#include "common/config/fields.h"
#include "common/error.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::channels {

/// A text, and vigil's own in its place.
struct Wording {
  std::string key;  // "title"
  rules::SetTemplate said;
  rules::SetTemplate own;
};

/// vigil's own templates, and those with the template files of a configuration on top of them. A value.
class Library {
 public:
  Library();
  /// `patterns` are paths with wildcards, read in order. The error names each file, and what is wrong there.
  static Result<Library> load(const std::vector<std::string>& patterns);

  /// `said` where it is there, else `fallback`, a text of vigil's own such as {{ template "x" . }}. An error
  /// is added to `problems`, with its place.
  Wording wording(const config::Place& at, std::string_view key, const std::optional<std::string>& said,
                  std::string_view fallback, config::Problems& problems) const;

  /// Whether a file defines a template whose name begins so.
  bool redefines(std::string_view prefix) const;

 private:
  Result<void> add_file(const std::string& path);

  rules::TemplateSet own_;
  rules::TemplateSet all_;
};

/// What a message is made of. Lives as long as one is made.
struct Told {
  Told(const notify::Shipment& from, std::int64_t at_ms, const std::string& external_url);

  const notify::Shipment& shipment;
  notify::Group group;
  rules::TemplateValue data;
  std::int64_t now_ms;
};

/// The writing of one message's texts.
class Writer {
 public:
  explicit Writer(const Told& told) : told_(told) {}

  std::string text(const Wording& wording);
  /// What comes from outside is escaped.
  std::string html(const Wording& wording);

  /// "vigil: the text of title could not be written: ..." for each one that failed, one a line; "" when all
  /// is well.
  const std::string& notes() const { return notes_; }

 private:
  std::string write(const Wording& wording, const rules::TemplateStart& start);

  const Told& told_;
  std::string notes_;
};

}  // namespace vigil::channels
