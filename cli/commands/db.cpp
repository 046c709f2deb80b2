// db: what is on the aggregator's disk, what it will be, and whether it is sound.
#include "cli/commands/command.h"
#include "cli/commands/db_cells.h"
#include "cli/commands/forecast.h"
#include "cli/output/progress.h"
#include "common/text/human.h"

#include <algorithm>
#include <cmath>

namespace vigil::cli {
namespace {

// ---- status

void say_status(const Context& context, const v1::StoreStatus& status, const Forecast& forecast) {
  fmt::print("\n{}, {} series{}, {} samples a second. {}: {} of {} free.\n", counted(status.hosts(), "host"),
             status.series(),
             status.other_series() == 0
                 ? ""
                 : fmt::format(" and {} of rules and other senders", status.other_series()),
             format_si(std::round(status.samples_per_second())), status.data_directory(),
             format_bytes(static_cast<double>(status.free_bytes())),
             format_bytes(static_cast<double>(status.disk_size_bytes())));
  const Cell room = room_cell(status, forecast);
  fmt::print("{}\n", paint(room.text, room.style, context.colours));
  if (!status.message().empty()) fmt::print("{}\n", paint(status.message(), Style::bad, context.colours));
  if (status.damaged_files() > 0) {
    fmt::print("{}\n",
               paint(fmt::format("{} set aside: see `vigil db check`.",
                                 counted(status.damaged_files(), "damaged file was", "damaged files were")),
                     Style::bad, context.colours));
  }
}

Listing files_listing(const v1::StoreStatus& status) {
  Listing listing;
  listing.columns = {{"file", "FILE"},
                     {"form", "FORM"},
                     {"disk_bytes", "SIZE", Align::right},
                     {"samples", "SAMPLES", Align::right},
                     {"first_ms", "FROM"},
                     {"last_ms", "TO"},
                     {"kind", ""},
                     {"blocks", ""}};
  for (const v1::StoreFile& file : status.files()) {
    const bool partition = file.kind() == "raw" || file.kind() == "minute" || file.kind() == "hour";
    listing.rows.push_back({Cell::of(file.name(), Style::bold), Cell::of(file.form()),
                            size_cell(file.disk_bytes()),
                            partition ? count_cell(file.samples()) : Cell::unknown(),
                            day_cell(file.first_ms()), day_cell(file.last_ms()), Cell::of(file.kind()),
                            partition ? count_cell(file.blocks()) : Cell::unknown()});
  }
  return listing;
}

Run declare_db_status(CLI::App& app) {
  auto files = std::make_shared<bool>(false);
  app.add_flag("--files", *files, "Each file by itself");
  return [files](Context& context) -> Result<Exit> {
    v1::GetStoreStatusRequest request;
    request.set_files(*files);
    const auto status = context.client->store_status(request);
    if (!status) return status.error();
    if (*files) {
      show(context, files_listing(*status));
      return Exit::ok;
    }
    const Forecast ahead = forecast(*status, load_of(*status), retention_of(*status));
    show(context, store_listing(*status, ahead));
    if (context.format == Format::table) say_status(context, *status, ahead);
    return Exit::ok;
  };
}

// ---- check

Listing findings_listing(const std::vector<v1::CheckFinding>& findings) {
  Listing listing;
  listing.empty_note = "Nothing is wrong.";
  listing.columns = {{"file", "FILE"},     {"host", "HOST"},  {"source", "SOURCE"},
                     {"first_ms", "FROM"}, {"last_ms", "TO"}, {"what", "WHAT"}};
  const auto time = [](std::int64_t t_ms) {
    return t_ms == 0 ? Cell::unknown() : Cell{t_ms, format_local_time(t_ms), Style::plain};
  };
  for (const v1::CheckFinding& finding : findings) {
    listing.rows.push_back({Cell::of(finding.file(), Style::bold), Cell::of(finding.host()),
                            Cell::of(finding.source()), time(finding.first_ms()), time(finding.last_ms()),
                            Cell::of(finding.what(), Style::bad)});
  }
  return listing;
}

Run declare_db_check(CLI::App& app) {
  app.footer(
      "Reads every file to its end while the aggregator goes on. Changes nothing. Exit code 5 when something "
      "is wrong.");
  return [](Context& context) -> Result<Exit> {
    std::vector<v1::CheckFinding> findings;
    std::optional<v1::CheckDone> done;
    {
      ByteProgress bar;
      auto checked = context.client->check_store([&](const v1::CheckEvent& event) -> Result<void> {
        if (event.has_finding()) findings.push_back(event.finding());
        if (event.has_done()) done = event.done();
        if (event.has_progress())
          bar.show(event.progress().done_bytes(), event.progress().total_bytes(), event.progress().file());
        return {};
      });
      if (!checked) return checked.error();
    }
    if (!done) return fail(Errc::unavailable, "the aggregator ended before the check was complete");
    show(context, findings_listing(findings));
    fmt::print(stderr, "{} with {} read: {} with {} samples, {} of the journal; {}\n",
               counted(done->files(), "file"), format_bytes(static_cast<double>(done->bytes())),
               counted(done->blocks(), "block"), format_si(static_cast<double>(done->samples())),
               counted(done->groups(), "group"), counted(done->findings(), "finding"));
    return done->findings() == 0 ? Exit::ok : Exit::damaged;
  };
}

}  // namespace

Run declare_db(CLI::App& app) {
  return declare_parts(
      app, {{"status", "How much is on disk, what is kept, and how long there is room", declare_db_status},
            {"plan", "What other limits, or another fleet, would take", declare_db_plan},
            {"check", "Whether all of it can be read", declare_db_check}});
}

}  // namespace vigil::cli
