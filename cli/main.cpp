#include "cli/cli.h"

int main(int argc, char** argv) {
  return vigil::cli::run(argc, argv);
}
