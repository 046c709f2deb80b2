// Which firing alerts keep back the messages of others. Pure; made anew whenever it is asked for.
//
// clang-format off
//   a rule's annotation `vigil_inhibits: instance`   the alerts of the same host that inhibit nothing themselves
//   a rule's annotation `vigil_inhibits: A, B`       the alerts of these names, but its own and those whose
//                                                    rule names it back: neither would ever be told of
//   the same alert with a higher severity            the one with the lower
// clang-format on
// One that is silenced or in maintenance itself keeps back none by its name: what stands for the others is
// not told either, and a host that goes down beside a planned work would be told of by nobody. What is kept
// back is only the message: the alert itself fires, is listed, and is announced as soon as nothing inhibits
// it any more.
#pragma once

#include "aggregator/alerts/alert_book.h"
#include "aggregator/silences/silence_book.h"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace vigil::alerts {

class Inhibition {
 public:
  /// A silence or a maintenance holds back the alert's own messages.
  using IsMuted = std::function<bool(const Alert&)>;
  /// `is_muted` may be empty: then none is.
  explicit Inhibition(const AlertBook& book, const IsMuted& is_muted = {});
  /// Which of the three ways it is.
  enum class Way : std::uint8_t { host, name, severity };
  /// An alert that keeps back others' messages.
  struct Source {
    std::string name;  // with its severity where that is the way
    std::string fingerprint;
    Way way = Way::host;
  };
  /// The alert that keeps back `alert`'s message, or null; good as long as this.
  const Source* source_of(const Alert& alert) const;
  /// Its name, or "".
  std::string_view inhibitor_of(const Alert& alert) const;

 private:
  struct Worst {
    notify::Severity severity = notify::Severity::info;
    Source source;
  };
  void add(const Alert& alert, const IsMuted& is_muted);

  std::unordered_map<std::string, Source> by_instance_;  // instance -> inhibitor
  /// Alert name -> inhibitors, one of each name.
  std::unordered_map<std::string, std::vector<Source>> by_name_;
  std::unordered_map<std::string, Worst> worst_;  // alert but for its severity
};

/// Good as long as `silences`.
Inhibition::IsMuted muted_by(const silences::SilenceBook& silences, std::int64_t now_ms);

/// Whether it keeps back others by their names, while it is not muted itself.
bool inhibits_by_name(const Alert& alert);

}  // namespace vigil::alerts
