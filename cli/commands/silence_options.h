// What silences and maintenances have in common on the command line: matchers, times, who and why.
#pragma once

#include "cli/commands/command.h"

#include <string>
#include <vector>

namespace vigil::cli {

struct SilenceOptions {
  std::vector<std::string> matchers;
  std::string length;
  std::string start = "now";
  std::string end;
  std::string comment;
  std::string author;
  std::string repeat;
  std::string zone;
};

/// `options` must live as long as the app.
void declare_silence_options(CLI::App& app, SilenceOptions& options);
Result<void> put_silence_options(const SilenceOptions& options, std::int64_t now_ms, v1::Silence& out);

/// Sets it and prints its id.
Result<Exit> set_silence(Context& context, const v1::PutSilenceRequest& request);
/// Ends those whose ids begin so: `command` lists them.
Run declare_end(CLI::App& app, const std::string& command, const std::string& footer);

/// "2h from 22:00 Europe/Berlin, FREQ=WEEKLY;BYDAY=TU"; "" of one that comes once.
std::string times_text(const v1::Silence& silence);
/// From when and until when it is, of one that comes again at its time that lasts or comes next.
Cell begin_cell(const v1::Silence& silence);
Cell end_cell(const v1::Silence& silence);
/// The first part of an id is enough to end a silence.
Cell id_cell(const std::string& id);

}  // namespace vigil::cli
