// The functions that texts of alertmanager.yml may call: Go's own, those Alertmanager documents, and two of
// vigil's, slackEscape, slackLines and markdownEscape, which make a text safe for Slack and for Markdown.
#pragma once

#include "aggregator/rules/template_language.h"

namespace vigil::channels {

const rules::TemplateLanguage& language();

}  // namespace vigil::channels
