// backup, restore: a copy of the running aggregator's data, and the way back.
#include "cli/backup/receiver.h"
#include "cli/backup/restore.h"
#include "cli/commands/command.h"
#include "cli/commands/db_cells.h"
#include "cli/output/progress.h"
#include "common/flags/help.h"
#include "common/text/human.h"

#include <algorithm>
#include <optional>

namespace vigil::cli {
namespace {

void say(const Context& context, const BackupSummary& summary) {
  if (context.format == Format::table) {
    fmt::print("{}: {}, {}; sent: {}, {}\n", summary.set, counted(summary.files, "file"),
               format_bytes(static_cast<double>(summary.bytes)), counted(summary.sent_files, "file"),
               format_bytes(static_cast<double>(summary.sent_bytes)));
    if (summary.removed_sets > 0) fmt::print("Older sets removed: {}\n", summary.removed_sets);
    return;
  }
  Listing listing;
  listing.columns = {{"set", ""}, {"files", ""}, {"bytes", ""}, {"sent_files", ""}, {"sent_bytes", ""}};
  listing.rows.push_back({Cell::of(summary.set), count_cell(summary.files), size_cell(summary.bytes),
                          count_cell(summary.sent_files), size_cell(summary.sent_bytes)});
  show(context, listing);
}

struct BackupFlags {
  std::string folder;
  std::optional<std::size_t> keep;
  Receiver::Identity identity = Receiver::Identity::wanted;
};

Result<BackupSummary> back_up(Context& context, const BackupFlags& flags) {
  auto folder = BackupFolder::open(flags.folder);
  if (!folder) return folder.error();
  ByteProgress bar;
  Receiver receiver(
      *folder,
      [&](std::uint64_t done, std::uint64_t total, const std::string& what) { bar.show(done, total, what); },
      flags.identity);
  const auto request = receiver.request();
  if (!request) return request.error();
  auto received =
      context.client->backup(*request, [&](const v1::BackupPart& part) { return receiver.take(part); });
  if (!received) return received.error();
  auto summary = receiver.finish();
  if (!summary) return summary;
  const auto pruned = folder->prune(flags.keep, summary->set);
  if (!pruned)
    return fail(pruned.error().code, "{} is complete, but older sets could not be removed: {}", summary->set,
                pruned.error().message);
  summary->removed_sets = *pruned;
  return summary;
}

void say(const Context& context, const Restored& restored, const RestoreRequest& request) {
  const Manifest& manifest = restored.manifest;
  const bool written = !request.data_folder.empty();
  if (context.format != Format::table) {
    Listing listing;
    listing.columns = {{"set", ""}, {"time_ms", ""}, {"files", ""}, {"bytes", ""}, {"data_dir", ""}};
    listing.rows.push_back({Cell::of(restored.set), Cell::number(manifest.time_ms),
                            count_cell(manifest.files.size()), size_cell(manifest.bytes()),
                            written ? Cell::of(request.data_folder.string()) : Cell::unknown()});
    return show(context, listing);
  }
  fmt::print("{} of {}: {}, {}, every checksum is right.\n", restored.set,
             format_local_time(manifest.time_ms), counted(manifest.files.size(), "file"),
             format_bytes(static_cast<double>(manifest.bytes())));
  if (!written) return;
  fmt::print(
      "Restored into {}. It must belong to the aggregator's user (chown -R vigil: {}); then start it:\n"
      "  vigil-aggregator --data-dir {}\n",
      request.data_folder.string(), request.data_folder.string(), request.data_folder.string());
  fmt::print("Tokens that were revoked after the backup are good again: vigil token list shows them.\n");
  const bool has_authority = std::ranges::any_of(
      manifest.files, [](const BackedUp& file) { return file.name == "identity/ca.key"; });
  if (has_authority) {
    fmt::print(
        "So are hosts and people whose certificates were revoked after it, unless they are revoked anew.\n"
        "Invitations of hosts that were open at the backup count no more: invite those hosts again.\n");
    return;
  }
  fmt::print(
      "The set has no authority. If hosts enrolled with one, put its folder back as {}/identity first: with "
      "a\n"
      "new one of vigil-aggregator init all of them would have to enroll again.\n",
      request.data_folder.string());
}

}  // namespace

Run declare_backup(CLI::App& app) {
  auto flags = std::make_shared<BackupFlags>();
  app.add_option("folder", flags->folder, "Where to: a folder of this machine, used for this aggregator only")
      ->required();
  app.add_option("--keep", flags->keep,
                 "How many sets to keep; older ones go once the new one is complete. All when absent")
      ->check(number_within(1, 100'000));
  app.add_flag_function(
      "--without-identity", [flags](std::int64_t) { flags->identity = Receiver::Identity::left_out; },
      "Leave out the aggregator's own authority: restored without it, every host has to enroll again");
  app.footer(
      "The aggregator goes on meanwhile. What the folder has already is not sent again. `vigil restore` is "
      "the way back.\nThe copy holds secrets, the key that makes hosts and people among them: guard the "
      "folder "
      "like the aggregator.\nExamples:\n  vigil backup /var/backups/vigil --keep 7");
  return [flags](Context& context) -> Result<Exit> {
    if (flags->folder.empty())
      return fail(Errc::invalid_argument, "the folder's name is empty; write for example /var/backups/vigil");
    const auto summary = back_up(context, *flags);
    if (!summary) return summary.error();
    say(context, *summary);
    return Exit::ok;
  };
}

Run declare_restore(CLI::App& app) {
  auto backup = std::make_shared<std::string>();
  auto set = std::make_shared<std::string>();
  auto data_folder = std::make_shared<std::string>();
  auto verify = std::make_shared<bool>(false);
  app.add_option("folder", *backup, "The folder given to `vigil backup`")->required();
  CLI::Option* target = app.add_option("--data-dir", *data_folder, "The new data folder: absent, or empty");
  app.add_flag("--verify", *verify, "Only look whether the set could be restored")->excludes(target);
  app.add_option("--set", *set, "Which set, for example set-20261122T031500Z; the latest when absent");
  app.footer("Asks no aggregator. Nothing is written before every checksum was found right.");
  return [=](Context& context) -> Result<Exit> {
    if (data_folder->empty() && !*verify)
      return fail(Errc::invalid_argument, "where to? --data-dir FOLDER, or --verify to look only");
    const RestoreRequest request{*backup, *set, *data_folder};
    Result<Restored> restored = Restored{};
    {
      ByteProgress bar;
      restored = restore(request, [&](std::uint64_t done, std::uint64_t total, const std::string& what) {
        bar.show(done, total, what);
      });
    }
    if (!restored) return restored.error();
    say(context, *restored, request);
    return Exit::ok;
  };
}

}  // namespace vigil::cli
