#include "aggregator/trial/command.h"

#include "aggregator/trial/verdict.h"

#include <fmt/format.h>

#include <cstdio>

namespace vigil::trial {
namespace {

void print(const Verdict& verdict) {
  for (const rules::Problem& error : verdict.errors) fmt::print(stderr, "{}\n", error.to_string());
  fmt::print("{}", summary(verdict));
  std::fflush(stdout);  // in order with what goes to standard error
  for (const std::string& warning : verdict.warnings) fmt::print(stderr, "warning: {}\n", warning);
}

int for_all(const std::vector<std::string>& paths, Form form, Verdict (*look)(const std::string&)) {
  std::vector<Verdict> verdicts;
  bool all = true;
  for (const std::string& path : paths) {
    Verdict verdict = look(path);
    all = verdict.ok() && all;
    if (form == Form::text) print(verdict);
    if (form == Form::json) verdicts.push_back(std::move(verdict));
  }
  if (form == Form::json) fmt::print("{}", to_json(verdicts));
  return all ? 0 : 1;
}

}  // namespace

int check_rules(const std::vector<std::string>& paths, Form form) {
  return for_all(paths, form, check_file);
}

int test_rules(const std::vector<std::string>& paths, Form form) {
  return for_all(paths, form, test_file);
}

}  // namespace vigil::trial
