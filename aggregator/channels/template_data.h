// What a text about a group of alerts can see, in Alertmanager's shape:
//
//   .Receiver .Status .Alerts .GroupLabels .CommonLabels .CommonAnnotations .ExternalURL
//   .Alerts           a list, with .Firing and .Resolved; of each
//     .Status .Labels .Annotations .StartsAt .EndsAt .GeneratorURL .Fingerprint
//   sets of labels    .SortedPairs (.Name and .Value each; .Names and .Values of all), .Names, .Values,
//   .Remove
//
// and beside that, what only vigil knows:
//
//   .Severity .Color          of the group: "Critical" ... "Resolved", "#d32f2f"
//   .Counted                  "3 alerts"; while some of them fire "1 alert and 2 over"
//   .LeftOut                  how many more fire than a message has room for
//   of each alert, all but .Summary and .Description in one line
//     .Title .Host .Summary .Description .Value .Severity .Expr .Runbook .Reason
//     .Since                  when its condition became true
//     .Lasted                 how long that was; "" while it fires
#pragma once

#include "aggregator/notify/notification.h"
#include "aggregator/rules/template_value.h"

#include <map>
#include <string>

namespace vigil::channels {

/// `external_url` is the dashboard's; `more` are further members, for what else a channel knows.
rules::TemplateValue template_data(const notify::Group& group, const std::string& external_url,
                                   std::map<std::string, rules::TemplateValue> more = {});

/// What all alerts have in common.
Labels common_labels(const notify::Group& group);
Labels common_annotations(const notify::Group& group);

}  // namespace vigil::channels
