"""What fires, since when, and whether the messages about it arrive."""

from source.model import (ANY_IS_BAD, ANY_IS_ODD, ORANGE, RED, YELLOW, dashboard, link_to, row, stat, states, table, thresholds, timeseries, variable)

THESE = 'alertname=~"$alertname", severity=~"$severity"'
OF_HOST = 'instance!=""'


def of(state, more=""):
    return f'ALERTS{{alertstate="{state}", {THESE}{", " + more if more else ""}}}'


def build():
    to_host = link_to("vigil-host", "This host", instance="${__data.fields.instance}")
    critical, warning = 'severity="critical"', 'severity="warning"'
    return dashboard("vigil-alerts", "vigil / Alerts", "Alerts that fire or are pending, their history, and the messages about them.", [
        variable("severity", "Severity", "label_values(ALERTS, severity)", multi=True),
        variable("alertname", "Alert", 'label_values(ALERTS{severity=~"$severity"}, alertname)', multi=True),
    ], [
        row("Now"),
        stat("Critical", "Firing now.", f"count({of('firing', critical)}) or vector(0)", width=4, steps=ANY_IS_BAD),
        stat("Warnings", "Firing now.", f"count({of('firing', warning)}) or vector(0)", width=4, steps=ANY_IS_ODD),
        stat("Pending", "True, but not for long enough yet.", f"count({of('pending')}) or vector(0)", width=4, steps=thresholds((1, YELLOW))),
        stat("Messages waiting", "Not yet taken by their receivers.", "sum(vigil_notifications_waiting) or vector(0)", width=4, steps=thresholds((10, ORANGE), (100, RED))),
        stat("Messages given up", "In the range shown: nobody was told.", "sum(increase(vigil_notifications_dead_total[$__range])) or vector(0)", width=4, steps=ANY_IS_BAD, graph=False, decimals=0),
        stat("Hosts with alerts", "Hosts of which some alert fires.", f"count(count by (instance) ({of('firing', OF_HOST)})) or vector(0)", width=4, steps=ANY_IS_ODD),
        table("Firing", "The alerts themselves, with evidence and buttons, are on the aggregator's page /alerts/.", [(f"max by (alertname, severity, instance) ({of('firing')})", "Firing", "bool_yes_no", thresholds((1, RED)))],
              ["alertname", "severity", "instance"], width=12, height=9, links={"instance": to_host}),
        table("Pending", "They fire once they were true for as long as their rule says.", [(f"max by (alertname, severity, instance) ({of('pending')})", "Pending", "bool_yes_no", thresholds((1, YELLOW)))],
              ["alertname", "severity", "instance"], width=12, height=9, links={"instance": to_host}),
        row("History"),
        states("What fired when", "Each alert of each host.", [(f"2 * max by (alertname, instance, severity) ({of('firing')}) or max by (alertname, instance, severity) ({of('pending')})", "{{alertname}} {{instance}} ({{severity}})")],
               {"1": ("pending", YELLOW), "2": ("firing", RED)}, height=12),
        timeseries("Firing by severity", "Over time.", (f"count by (severity) ({of('firing')})", "{{severity}}"), stack=True, least=0, width=12),
        timeseries("Firing by alert", "The ten with most hosts.", (f"topk(10, count by (alertname) ({of('firing')}))", "{{alertname}}"), stack=True, least=0, width=12),
        row("Messages and rules"),
        timeseries("Delivered", "Messages a second that receivers took.", ("sum by (receiver) (rate(vigil_notifications_delivered_total[$__rate_interval]))", "{{receiver}}"), least=0),
        timeseries("Attempts that failed", "They are tried again; only given up ones are lost.", ("sum by (receiver) (increase(vigil_notifications_failures_total[$__rate_interval]))", "{{receiver}}"), least=0),
        timeseries("Waiting", "Messages not yet taken.", ("sum by (receiver) (vigil_notifications_waiting)", "{{receiver}}"), least=0),
        timeseries("Changes of state", "Of alerts, and messages held back by another alert.", [("sum(increase(vigil_alerts_transitions_total[$__rate_interval]))", "changes"), ("sum(increase(vigil_alerts_inhibited_total[$__rate_interval]))", "held back")], least=0),
        timeseries("Rules", "Evaluations a second with something to say, and those replaced by newer ones.", [("sum(rate(vigil_alerts_evaluations_total[$__rate_interval]))", "evaluations"), ("sum(rate(vigil_alerts_superseded_total[$__rate_interval]))", "superseded")], "ops", least=0),
        timeseries("Rules that came too late", "Rounds left out, questions given up, transactions that failed: alerts may be late or missing.", [
            ("sum(increase(vigil_alerts_missed_evaluations_total[$__rate_interval]))", "rounds left out"), ("sum(increase(vigil_aggregator_late_answers_total[$__rate_interval]))", "questions given up"),
            ("sum(increase(vigil_alerts_commit_failures_total[$__rate_interval]))", "transactions failed")], steps=ANY_IS_BAD, least=0),
    ])
