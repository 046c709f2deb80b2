// What silences and maintenances have in common on the command line: matchers, times, who and why.
#pragma once

#include "cli/commands/command.h"
#include "cli/commands/silence_listing.h"

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

/// Sets it and prints its id; for programs all of it.
Result<Exit> set_silence(Context& context, const v1::PutSilenceRequest& request);
/// The one whose id begins so. It must be of this kind, and not over; where several begin so all of them are
/// named, whatever their kind.
Result<v1::Silence> find_silence(const std::string& given, SilenceKind kind,
                                 const v1::ListSilencesResponse& silences);
/// "silence 6f0c0a83 is over: HostDown"; of one that comes again also that no further times follow.
std::string ended_text(const v1::Silence& silence);
/// Ends those of this kind whose ids begin so.
Run declare_end(CLI::App& app, SilenceKind kind, const std::string& footer);

}  // namespace vigil::cli
