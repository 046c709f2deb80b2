#include "aggregator/channels/default_texts.h"

namespace vigil::channels {
namespace {

// What all channels say: "[FIRING:3] HighCpu: 3 alerts and 1 over".
constexpr std::string_view kCommon = R"(
{{ define "__what" -}}
{{ if eq (len .Alerts) 1 }}{{ (index .Alerts 0).Title }}
{{- else }}{{ with .CommonLabels.alertname }}{{ . }}: {{ end }}{{ .Counted }}
{{- with .CommonLabels.instance }} on {{ . }}{{ end }}{{ end }}
{{- end }}

{{ define "__subject" -}}
[{{ if and (eq (len .Alerts) 1) (index .Alerts 0).Occasion }}{{ (index .Alerts 0).Occasion }}
{{- else }}{{ .Status | toUpper }}{{ if eq .Status "firing" }}:{{ len .Alerts.Firing }}{{ if .LeftOut }}+{{ .LeftOut }}{{ end }}{{ end }}{{ end }}] {{ template "__what" . }}
{{- end }}

{{ define "__subject_markdown" -}}
[{{ if and (eq (len .Alerts) 1) (index .Alerts 0).Occasion }}{{ (index .Alerts 0).Occasion | markdownEscape }}
{{- else }}{{ .Status | toUpper }}{{ if eq .Status "firing" }}:{{ len .Alerts.Firing }}{{ if .LeftOut }}+{{ .LeftOut }}{{ end }}{{ end }}{{ end }}]{{ " " }}
{{- if eq (len .Alerts) 1 }}{{ (index .Alerts 0).Title | markdownEscape }}
{{- else }}{{ with .CommonLabels.alertname }}{{ . | markdownEscape }}: {{ end }}{{ .Counted }}
{{- with .CommonLabels.instance }} on {{ . | markdownEscape }}{{ end }}{{ end }}
{{- end }}

{{ define "__description" }}{{ template "__subject" . }}{{ end }}
{{ define "__alertmanager" }}vigil{{ end }}
{{ define "__alertmanagerURL" }}{{ .ExternalURL }}{{ end }}
{{ define "__single_message_title" }}{{ template "__what" . }}{{ end }}
{{ define "__link" }}{{ if eq (len .Alerts) 1 }}{{ (index .Alerts 0).GeneratorURL }}{{ else }}{{ .ExternalURL }}{{ end }}{{ end }}

{{ define "__value" -}}
{{ if eq .Status "firing" }}Value {{ .Value }}, since {{ .Since.Format "2006-01-02 15:04 MST" }}
{{- else }}{{ .ValueName }} {{ .Value }}{{ with .Reason }}, over because {{ . }}{{ end }}{{ end }}
{{- end }}

{{ define "__evidence" -}}
{{ if eq .Status "firing" }}{{ range .Evidence }}{{ if ne .Title "Actions" }}  {{ .Title }}:
{{ range .Rows }}    {{ .Name }}  {{ .Value }}
{{ end }}{{ end }}{{ end }}{{ end }}
{{- end }}

{{ define "__short_evidence" -}}
{{ if eq .Status "firing" }}{{ range .Evidence }}{{ if ne .Title "Actions" }}{{ .Title }}:
{{ range $i, $row := .Rows }}{{ if ge $i 3 }}{{ break }}{{ end }}  {{ $row.Name }}  {{ $row.Value }}
{{ end }}{{ end }}{{ end }}{{ end }}
{{- end }}

{{ define "__text_alert" -}}
{{ .Severity }}: {{ .Title }}
  {{ .Headline }}
{{ if not .Occasion }}  {{ template "__value" . }}
{{ end }}{{ range .Actions }}  {{ .Name }}: {{ .Value }}
{{ end }}{{ with .Runbook }}  Runbook {{ . }}
{{ end }}{{ with .GeneratorURL }}  {{ . }}
{{ end }}{{ end }}

{{ define "__text_alert_list" -}}
{{ range $i, $alert := . }}{{ if ge $i 20 }}and {{ len (slice $ 20) }} more
{{ break }}{{ end -}}
{{ template "__text_alert" . }}{{ template "__evidence" . }}
{{ end }}
{{- end }}

{{ define "__markdown_alert" -}}
**{{ .Severity | markdownEscape }}: {{ .Title | markdownEscape }}**
{{ .Headline | markdownEscape }}
{{ range .Actions }}{{ .Name | markdownEscape }}: {{ .Value | markdownEscape }}
{{ end }}{{ if not .Occasion }}{{ if eq .Status "firing" }}Value {{ .Value | markdownEscape }}, since {{ .Since.Format "2006-01-02 15:04 MST" }}
{{- else }}{{ .ValueName }} {{ .Value | markdownEscape }}{{ with .Reason }}, over because {{ . | markdownEscape }}{{ end }}{{ end }}{{ end }}
{{- with .GeneratorURL }} ([open]({{ . }})){{ end }}
{{- with .Runbook }} ([runbook]({{ . | reReplaceAll "[(]" "%28" | reReplaceAll "[)]" "%29" }})){{ end }}
{{ end }}

{{ define "__markdown_evidence" -}}
{{ if eq .Status "firing" }}{{ range .Evidence }}{{ if ne .Title "Actions" }}{{ .Title | markdownEscape }}:
{{ range $i, $row := .Rows }}{{ if ge $i 3 }}{{ break }}{{ end }}\- {{ $row.Name | markdownEscape }}  {{ $row.Value | markdownEscape }}
{{ end }}{{ end }}{{ end }}{{ end }}
{{- end }}

{{ define "__text_alert_list_markdown" -}}
{{ range $i, $alert := . }}{{ if ge $i 20 }}and {{ len (slice $ 20) }} more{{ break }}{{ end -}}
{{ template "__markdown_alert" . }}{{ if le (len $) 3 }}{{ template "__markdown_evidence" . }}{{ end }}
{{ end }}
{{- end }}
)";

constexpr std::string_view kSlack = R"(
{{ define "slack.default.title" }}{{ slackEscape (printf "%s: " .Severity) }}
{{- if eq (len .Alerts) 1 }}{{ (index .Alerts 0).Title | slackEscape }}
{{- else }}{{ with .CommonLabels.alertname }}{{ . | slackEscape }}: {{ end }}{{ .Counted }}{{ end }}{{ end }}
{{ define "slack.default.fallback" }}{{ template "slack.default.title" . }}{{ end }}
{{ define "slack.default.username" }}vigil{{ end }}
{{ define "slack.default.titlelink" }}{{ template "__link" . }}{{ end }}
{{ define "slack.default.color" }}{{ .Color }}{{ end }}
{{ define "slack.default.pretext" }}{{ end }}
{{ define "slack.default.footer" }}{{ end }}
{{ define "slack.default.iconemoji" }}{{ end }}
{{ define "slack.default.iconurl" }}{{ end }}
{{ define "slack.default.callbackid" }}{{ end }}
{{ define "slack.default.text" -}}
{{ range $i, $alert := .Alerts }}{{ if ge $i 20 }}and {{ len (slice $.Alerts 20) }} more{{ break }}{{ end -}}
*{{ .Title | slackEscape }}*{{ with .GeneratorURL }}  <{{ . | slackEscape }}|Open>{{ end }}
{{- with .Runbook }}  <{{ . | slackEscape }}|Runbook>{{ end }}
{{ if .Occasion }}{{ .Headline | slackLines }}{{ else }}{{ .Headline | slackEscape }}{{ end }}
{{ range .Actions }}{{ .Name | slackEscape }}: {{ .Value | slackEscape }}
{{ end }}{{ if not .Occasion }}{{ if eq .Status "firing" }}{{ .Value | slackEscape }}, since {{ .Since.Format "2006-01-02 15:04 MST" }}
{{- else }}{{ .ValueName }} {{ .Value | slackEscape }}{{ with .Reason }}, over because {{ . | slackEscape }}{{ end }}{{ end }}
{{ end }}{{ if le (len $.Alerts) 3 }}{{ template "__slack_evidence" . }}{{ end }}
{{ end }}{{ end }}
{{ define "__slack_evidence" -}}
{{ if eq .Status "firing" }}{{ range .Evidence }}{{ if ne .Title "Actions" }}{{ .Title | slackEscape }}:
{{ range $i, $row := .Rows }}{{ if ge $i 3 }}{{ break }}{{ end }}{{ $row.Name | slackEscape }}  {{ $row.Value | slackEscape }}
{{ end }}{{ end }}{{ end }}{{ end }}
{{- end }}
)";

constexpr std::string_view kOthers = R"(
{{ define "pagerduty.default.description" -}}
{{ if eq .Status "resolved" }}{{ if eq (len .Alerts) 1 }}{{ (index .Alerts 0).Severity }}{{ else }}Resolved{{ end }}: {{ else }}{{ with (index .Alerts 0).Occasion }}{{ . }}: {{ end }}{{ end }}
{{- template "__what" . }}
{{- if eq (len .Alerts) 1 }}: {{ with index .Alerts 0 }}{{ .Headline }}
{{- if and (eq .Status "resolved") (not .Occasion) }}, {{ .ValueName | toLower }} {{ .Value }}{{ with .Reason }}, over because {{ . }}{{ end }}{{ end }}{{ end }}{{ end }}{{ end }}
{{ define "pagerduty.default.client" }}vigil{{ end }}
{{ define "pagerduty.default.clientURL" }}{{ template "__link" . }}{{ end }}
{{ define "pagerduty.default.instances" }}{{ template "__text_alert_list" . }}{{ end }}

{{ define "discord.default.content" }}{{ end }}
{{ define "discord.default.title" }}{{ template "__subject_markdown" . }}{{ end }}
{{ define "discord.default.message" -}}
{{ template "__text_alert_list_markdown" .Alerts.Firing }}
{{- template "__text_alert_list_markdown" .Alerts.Resolved }}{{ end }}

{{ define "msteams.default.summary" }}{{ template "__subject" . }}{{ end }}
{{ define "msteams.default.title" }}{{ template "__subject" . }}{{ end }}
{{ define "msteams.default.text" }}{{ template "discord.default.message" . }}{{ end }}
{{ define "msteamsv2.default.title" }}{{ template "__subject_markdown" . }}{{ end }}
{{ define "msteamsv2.default.text" }}{{ template "msteams.default.text" . }}{{ end }}

{{ define "telegram.default.message" -}}
<b>{{ template "__subject" . }}</b>
{{ range $i, $alert := .Alerts }}{{ if ge $i 20 }}
and {{ len (slice $.Alerts 20) }} more{{ break }}{{ end }}
<b>{{ .Severity }}: {{ .Title }}</b>
{{ .Headline }}
{{ range .Actions }}{{ .Name }}: {{ .Value }}
{{ end }}{{ if not .Occasion }}{{ template "__value" . }}
{{ end }}{{ with .GeneratorURL }}<a href="{{ . }}">Open</a>  {{ end }}{{ with .Runbook }}<a href="{{ . }}">Runbook</a>{{ end }}
{{ if le (len $.Alerts) 3 }}{{ template "__short_evidence" . }}{{ end }}{{ end }}{{ end }}
{{ define "ntfy.default.title" }}{{ template "__subject" . }}{{ end }}
{{ define "ntfy.default.message" -}}
{{ range $i, $alert := .Alerts }}{{ if ge $i 20 }}and {{ len (slice $.Alerts 20) }} more
{{ break }}{{ end -}}
{{ template "__text_alert" . }}{{ if le (len $.Alerts) 3 }}{{ template "__short_evidence" . }}{{ end }}
{{ end }}{{ end }}
{{ define "ntfy.default.click" }}{{ template "__link" . }}{{ end }}
{{ define "ntfy.default.tag" -}}
{{ if eq .Status "resolved" }}white_check_mark{{ else if (index .Alerts 0).Occasion }}information_source{{ else if eq .Severity "Critical" }}rotating_light{{ else }}warning{{ end }}{{ end }}

{{ define "sms.default.text" -}}
{{ template "__subject" . }}{{ range $i, $alert := .Alerts }}
{{ if ge $i 3 }}and {{ len (slice $.Alerts 3) }} more{{ break }}{{ end }}
{{- .Headline }}{{ if and (eq .Status "resolved") (not .Occasion) }}, {{ .ValueName | toLower }} {{ .Value }}{{ with .Reason }}, over because {{ . }}{{ end }}{{ end }}{{ end }}{{ end }}

{{ define "telegram.plain.message" }}{{ template "email.default.text" . }}{{ end }}
)";

// Mail programs know little CSS and no style sheets: tables and inline styles, as in notify/email.cpp. What
// comes from an alert, its colour included, stands in no style: html_output.h writes nothing there.
constexpr std::string_view kMail = R"(
{{ define "email.default.subject" }}{{ template "__subject" . }}{{ end }}
{{ define "email.default.text" }}{{ template "__subject" . }}

{{ template "__text_alert_list" .Alerts.Firing }}{{ template "__text_alert_list" .Alerts.Resolved }}
{{- with .ExternalURL }}{{ . }}
{{ end }}{{ end }}

{{ define "__html_row" }}<tr><td style="padding:4px 12px 4px 0;vertical-align:top;color:#607080;white-space:nowrap">
{{- .Name }}</td><td style="padding:4px 12px 4px 0;vertical-align:top;">{{ .Value }}</td></tr>
{{ end }}
{{ define "__html_cell_name" }}<tr><td style="padding:4px 12px 4px 0;vertical-align:top;color:#607080;white-space:nowrap">{{ . }}</td>{{ end }}
{{ define "__html_cell_value" }}<td style="padding:4px 12px 4px 0;vertical-align:top;">{{ . }}</td></tr>
{{ end }}

{{ define "__html_table" -}}
<p style="margin:16px 0 4px;font-weight:bold">{{ .Title }}</p>
<table role="presentation" cellspacing="0" style="border-collapse:collapse">
{{ range .Rows }}{{ template "__html_row" . }}{{ end -}}
</table>
{{ end }}

{{ define "__html_alert" -}}
<p style="margin:0 0 8px;white-space:pre-line">{{ .Headline }}</p>
{{ if .Annotations.summary }}{{ with .Description }}<p style="margin:0 0 8px;color:#607080">{{ . }}</p>
{{ end }}{{ end -}}
<table role="presentation" cellspacing="0" style="border-collapse:collapse">
{{ if .Occasion }}{{ template "__html_cell_name" "Time" }}{{ template "__html_cell_value" .Value }}
{{- else }}{{ template "__html_cell_name" "Host" }}{{ template "__html_cell_value" .Host }}
{{- template "__html_cell_name" .ValueName }}{{ template "__html_cell_value" .Value }}
{{- template "__html_cell_name" "Since" }}{{ template "__html_cell_value" (.Since.Format "2006-01-02 15:04:05 MST") }}
{{- if eq .Status "resolved" }}
{{- template "__html_cell_name" "Resolved" }}{{ template "__html_cell_value" (.EndsAt.Format "2006-01-02 15:04:05 MST") }}
{{- template "__html_cell_name" "Lasted" }}{{ template "__html_cell_value" .Lasted }}
{{- with .Reason }}{{ template "__html_cell_name" "Because" }}{{ template "__html_cell_value" . }}{{ end }}
{{- end }}
{{- range (.Labels.Remove (stringSlice "alertname" "instance")).SortedPairs }}{{ template "__html_row" . }}{{ end -}}
{{ end }}</table>
{{ range .Evidence }}{{ template "__html_table" . }}{{ end -}}
{{ with .Runbook }}<p style="margin:8px 0 0"><a href="{{ . }}">Runbook: {{ . }}</a></p>
{{ end }}{{ with .GeneratorURL }}<p style="margin:8px 0 0"><a href="{{ . }}">Open in vigil</a></p>
{{ end }}{{ end }}

{{ define "email.default.html" -}}
<!DOCTYPE html>
<html><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"></head>
<body style="margin:0;background:#f2f4f7;font-family:-apple-system,'Segoe UI',Roboto,Arial,sans-serif;font-size:14px;color:#1c2733">
<table role="presentation" width="100%" cellspacing="0"><tr><td align="center" style="padding:24px 8px">
<table role="presentation" cellspacing="0" style="width:100%;max-width:640px;background:#ffffff;border-radius:6px">
<tr><td height="6" bgcolor="{{ .Color }}" style="font-size:0;line-height:0">&nbsp;</td></tr>
<tr><td style="padding:20px 24px 24px"><b><font color="{{ .Color }}">{{ .Severity }}</font></b>
<h2 style="margin:4px 0 12px;font-size:20px">{{ template "__what" . }}</h2>
{{ range $i, $alert := .Alerts }}{{ if ge $i 50 }}<p>and {{ len (slice $.Alerts 50) }} more</p>
{{ break }}{{ end -}}
{{ if gt (len $.Alerts) 1 }}<h3 style="margin:24px 0 4px;font-size:16px">{{ .Severity }}: {{ .Title }}</h3>
{{ end }}{{ template "__html_alert" . }}{{ end -}}
{{ with .ExternalURL }}<p style="margin:24px 0 0"><a href="{{ . }}" style="background:#24384e;color:#ffffff;padding:8px 16px;border-radius:4px;text-decoration:none">Open the dashboard</a></p>
{{ end -}}
</td></tr></table>
</td></tr></table>
</body></html>
{{ end }}
)";

constexpr std::string_view kTexts[] = {kCommon, kSlack, kOthers, kMail};

}  // namespace

std::span<const std::string_view> default_texts() {
  return kTexts;
}

}  // namespace vigil::channels
