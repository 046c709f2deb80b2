#include "cli/commands/silence_listing.h"

#include "cli/commands/figures.h"
#include "common/text/human.h"

#include <chrono>
#include <utility>

namespace vigil::cli {
namespace {

using Texts = google::protobuf::RepeatedPtrField<std::string>;

constexpr std::int64_t kFarMs = 250'000'000'000'000;  // the year 9892: no end was given

Style style_of_silence(const v1::Silence& silence) {
  return silence.state() == "active"    ? Style::good
         : silence.state() == "pending" ? Style::warning
                                        : Style::faint;
}

Style style_of_phase(const std::string& phase) {
  return phase == "begun" ? Style::good : phase == "ended" ? Style::faint : Style::warning;
}

Cell joined_cell(const Texts& texts, std::string_view between) {
  Cell cell = Cell::list({texts.begin(), texts.end()});
  cell.text = fmt::format("{}", fmt::join(texts, between));
  return cell;
}

Cell matchers_cell(const v1::Silence& silence) {
  Cell cell = joined_cell(silence.matchers(), " ");
  cell.style = Style::bold;
  return cell;
}

Cell checks_cell(const google::protobuf::RepeatedPtrField<v1::MaintenanceCheck>& checks) {
  std::vector<std::string> out;
  for (const v1::MaintenanceCheck& check : checks) out.push_back(check.expr());
  return Cell::list(std::move(out));
}

Cell notices_cell(const v1::Maintenance& maintenance) {
  return Cell{Integers{{maintenance.notices_ms().begin(), maintenance.notices_ms().end()}}, {}, Style::plain};
}

Cell time_or_ever(std::int64_t t_ms) {
  return t_ms > kFarMs ? Cell{t_ms, "for ever", Style::plain}
                       : Cell{t_ms, format_local_time(t_ms), Style::plain};
}

/// From when and until when it is, of one that comes again at its time that lasts or comes next.
Cell begin_cell(const v1::Silence& silence) {
  Cell cell = time_or_ever(silence.next_starts_ms() != 0 ? silence.next_starts_ms() : silence.starts_ms());
  cell.value = silence.starts_ms();
  return cell;
}

Cell end_cell(const v1::Silence& silence) {
  Cell cell = time_or_ever(silence.next_ends_ms() != 0 ? silence.next_ends_ms() : silence.ends_ms());
  cell.value = silence.ends_ms();
  return cell;
}

/// The first part of an id is enough to end a silence.
Cell id_cell(const std::string& id) {
  constexpr std::size_t kShown = 8;
  return Cell{id, id.substr(0, kShown), Style::plain};
}

/// For people with the title of a maintenance.
Cell comment_cell(const v1::Silence& silence) {
  Cell cell = Cell::of(silence.comment());
  const std::string& title = silence.maintenance().title();
  if (!title.empty()) cell.text = title + (cell.text.empty() ? "" : ": " + cell.text);
  return cell;
}

std::vector<Cell> silence_row(const v1::Silence& silence) {
  return {Cell::of(silence.state(), style_of_silence(silence)),
          Cell::of(std::string(to_string(kind_of(silence)))),
          matchers_cell(silence),
          begin_cell(silence),
          end_cell(silence),
          Cell::of(times_text(silence)),
          Cell::of(silence.author()),
          comment_cell(silence),
          id_cell(silence.id()),
          Cell::of(silence.maintenance().title()),
          Cell::of(silence.recurrence()),
          Cell::of(silence.zone()),
          Cell::number(silence.length_ms()),
          Cell::number(silence.updated_ms()),
          time_cell(silence.next_starts_ms()),
          time_cell(silence.next_ends_ms())};
}

std::vector<Cell> maintenance_row(const v1::Silence& silence) {
  const v1::Maintenance& maintenance = silence.maintenance();
  const std::string phase = silence.state() == "expired" ? "ended" : maintenance.phase();
  return {Cell::of(phase, style_of_phase(phase)),
          Cell::of(maintenance.title(), Style::bold),
          joined_cell(silence.matchers(), " "),
          begin_cell(silence),
          end_cell(silence),
          Cell::of(times_text(silence)),
          joined_cell(maintenance.receivers(), ", "),
          Cell::of(silence.author()),
          id_cell(silence.id()),
          Cell::of(std::string(to_string(kind_of(silence)))),
          Cell::of(maintenance.impact()),
          Cell::of(silence.comment()),
          joined_cell(maintenance.run_before(), ", "),
          joined_cell(maintenance.run_after(), ", "),
          checks_cell(maintenance.before()),
          checks_cell(maintenance.after()),
          notices_cell(maintenance),
          Cell::of(silence.recurrence()),
          Cell::of(silence.zone()),
          time_cell(silence.next_starts_ms()),
          time_cell(silence.next_ends_ms())};
}

}  // namespace

SilenceKind kind_of(const v1::Silence& silence) {
  return silence.has_maintenance() ? SilenceKind::maintenance : SilenceKind::silence;
}

std::string_view to_string(SilenceKind kind) {
  return kind == SilenceKind::maintenance ? "maintenance" : "silence";
}

Listing silences_listing(const std::vector<v1::Silence>& silences) {
  Listing listing;
  listing.empty_note = "No silences.";
  listing.columns = {{"state", "STATE"},
                     {"kind", "KIND", Align::left, Fit::important},
                     {"matchers", "MATCHERS", Align::left, Fit::cut},
                     {"starts_ms", "FROM", Align::left, Fit::useful},
                     {"ends_ms", "TO"},
                     {"times", "TIMES", Align::left, Fit::cut, Programs::json_and_csv, 12},
                     {"author", "AUTHOR", Align::left, Fit::important},
                     {"comment", "COMMENT", Align::left, Fit::optional},
                     {"id", "ID"},
                     {"title", ""},
                     {"recurrence", ""},
                     {"zone", ""},
                     {"length_ms", ""},
                     {"updated_ms", ""},
                     {"next_starts_ms", ""},
                     {"next_ends_ms", ""}};
  for (const v1::Silence& silence : silences) listing.rows.push_back(silence_row(silence));
  return listing;
}

Listing maintenances_listing(const std::vector<v1::Silence>& silences) {
  Listing listing;
  listing.empty_note = "No maintenance is planned.";
  listing.columns = {{"phase", "PHASE"},
                     {"title", "TITLE", Align::left, Fit::cut},
                     {"matchers", "MATCHERS", Align::left, Fit::cut},
                     {"starts_ms", "FROM", Align::left, Fit::useful},
                     {"ends_ms", "TO"},
                     {"times", "TIMES", Align::left, Fit::cut, Programs::json_and_csv, 12},
                     {"receivers", "TELLS", Align::left, Fit::important},
                     {"author", "AUTHOR", Align::left, Fit::optional},
                     {"id", "ID"},
                     {"kind", ""},
                     {"impact", ""},
                     {"comment", ""},
                     {"run_before", ""},
                     {"run_after", ""},
                     {"check_before", ""},
                     {"check_after", ""},
                     {"notices_ms", ""},
                     {"recurrence", ""},
                     {"zone", ""},
                     {"next_starts_ms", ""},
                     {"next_ends_ms", ""}};
  for (const v1::Silence& silence : silences) {
    if (silence.has_maintenance()) listing.rows.push_back(maintenance_row(silence));
  }
  return listing;
}

Listing listing_of(SilenceKind kind, const std::vector<v1::Silence>& silences) {
  return kind == SilenceKind::maintenance ? maintenances_listing(silences) : silences_listing(silences);
}

std::string matchers_text(const v1::Silence& silence) {
  return fmt::format("{}", fmt::join(silence.matchers(), " "));
}

std::string times_text(const v1::Silence& silence) {
  if (silence.recurrence().empty()) return "";
  const std::int64_t clock_s = (silence.local_start_s() % 86'400 + 86'400) % 86'400;
  return fmt::format("{} from {:02}:{:02} {}, {}",
                     format_duration(std::chrono::milliseconds(silence.length_ms())), clock_s / 3600,
                     clock_s / 60 % 60, silence.zone(), silence.recurrence());
}

}  // namespace vigil::cli
