// The command line as a whole: parses, connects, runs one command.
#pragma once

namespace vigil::cli {

/// The exit code, see Exit.
int run(int argc, char** argv);

}  // namespace vigil::cli
