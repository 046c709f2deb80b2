#include "aggregator/alerts/alert_service.h"

#include "aggregator/alerts/meta_file.h"
#include "aggregator/alerts/service.h"
#include "aggregator/alerts/wait_for.h"
#include "common/log/log.h"

namespace vigil::alerts {
namespace {

Result<std::unique_ptr<AlertService>> open_store(const AlertServiceOptions& options,
                                                 const rules::RuleSetPtr& rules, std::string loss) {
  auto store = MetaStore::open(options.path);
  if (!store) return store.error();
  auto service = std::make_unique<Service>(options, rules, std::move(*store));
  if (auto restored = service->restore(); !restored) return restored.error();
  service->tell_loss(std::move(loss));
  return std::unique_ptr<AlertService>(std::move(service));
}

}  // namespace

Result<void> acknowledge(AlertService& service, std::string id, Acknowledgement by) {
  return wait_for<Result<void>>(
      [&](auto answer) { service.acknowledge(std::move(id), std::move(by), std::move(answer)); });
}

Result<actions::Run> run_action(AlertService& service, actions::Order order) {
  return wait_for<Result<actions::Run>>(
      [&](auto answer) { service.run_action(std::move(order), std::move(answer)); });
}

Result<actions::Run> decide_run(AlertService& service, std::string id, actions::Decision decision) {
  return wait_for<Result<actions::Run>>(
      [&](auto answer) { service.decide_run(std::move(id), std::move(decision), std::move(answer)); });
}

Result<DeadLetters> dead_letters(AlertService& service, std::size_t most) {
  return wait_for<Result<DeadLetters>>([&](auto answer) { service.dead_letters(most, std::move(answer)); });
}

Result<Resent> resend(AlertService& service, LetterChoice choice) {
  Resent all;
  do {
    const auto turn =
        wait_for<Result<Resent>>([&](auto answer) { service.resend(choice, std::move(answer)); });
    if (!turn) return turn.error();
    all.sent += turn->sent;
    all.outdated += turn->outdated;
    all.unknown += turn->unknown;
    all.unreadable += turn->unreadable;
    choice.after = turn->next;
  } while (choice.after != 0);
  return all;
}

Result<std::uint64_t> drop(AlertService& service, LetterChoice choice) {
  std::uint64_t dropped = 0;
  do {
    const auto turn =
        wait_for<Result<Dropped>>([&](auto answer) { service.drop(choice, std::move(answer)); });
    if (!turn) return turn.error();
    dropped += turn->dropped;
    choice.after = turn->next;
  } while (choice.after != 0);
  return dropped;
}

Result<Explanation> explain(AlertService& service, std::string id) {
  return wait_for<Result<Explanation>>(
      [&](auto answer) { service.explain(std::move(id), std::move(answer)); });
}

Result<std::unique_ptr<AlertService>> AlertService::open(const AlertServiceOptions& options,
                                                         const rules::RuleSetPtr& rules) {
  const std::string lost = options.ran_before ? loss_without(options.path) : std::string();
  if (!lost.empty()) log::error("alerts", lost, {{"file", options.path}});
  auto opened = open_store(options, rules, lost);
  if (opened || opened.error().code != Errc::corrupt) return opened;
  auto loss = set_aside(options.path);
  if (!loss) return loss.error();
  log::error("alerts", *loss, {{"error", opened.error()}});
  return open_store(options, rules, std::move(*loss));
}

}  // namespace vigil::alerts
