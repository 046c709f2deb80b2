"""Grafana's dashboard model, as far as these dashboards use it: panels that flow from left to right, 24 columns a line."""

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
GREEN, YELLOW, ORANGE, RED, BLUE, GREY = "green", "yellow", "orange", "red", "blue", "#808080"


def thresholds(*steps, base=GREEN):
    """Steps of (from this value on, colour)."""
    return {"mode": "absolute", "steps": [{"color": base, "value": None}] + [{"color": colour, "value": value} for value, colour in steps]}


BUSY = thresholds((0.8, ORANGE), (0.9, RED))  # what the shipped rules call high
FULL = thresholds((0.85, ORANGE), (0.95, RED))
ANY_IS_BAD = thresholds((1, RED))
ANY_IS_ODD = thresholds((1, ORANGE))
ONE_IS_GOOD = thresholds((1, GREEN), base=RED)


class Query:
    """`legend`: "{{label}}"; a table and a stat ask for one instant."""

    def __init__(self, expr, legend="", instant=False):
        self.expr, self.legend, self.instant = expr, legend, instant

    def target(self, ref, table=False):
        target = {"datasource": DATASOURCE, "editorMode": "code", "expr": self.expr, "refId": ref}
        if self.instant or table:
            target.update(instant=True, range=False)
        else:
            target.update(instant=False, range=True)
        if table:
            target["format"] = "table"
        target["legendFormat"] = self.legend or "__auto"
        return target


def queries(given):
    """A text, a (text, legend), or a list of these."""
    if isinstance(given, str) or (isinstance(given, tuple) and given):
        given = [given]
    return [Query(*each) if isinstance(each, tuple) else Query(each) for each in given]


def mappings(texts):
    """Values and (text, colour) for them."""
    return [{"type": "value", "options": {value: {"text": text, "color": colour, "index": at} for at, (value, (text, colour)) in enumerate(texts.items())}}]


def override(name, **properties):
    return {"matcher": {"id": "byName", "options": name}, "properties": [{"id": key, "value": value} for key, value in properties.items()]}


class Panel:
    def __init__(self, kind, title, description, given=(), width=8, height=8, links=()):
        self.width, self.height = width, height
        self.queries = queries(given)
        self.body = {"type": kind, "title": title, "description": description}
        self.defaults, self.overrides, self.options, self.transformations, self.custom = {}, [], {}, [], {}
        self.is_table = kind == "table"
        if links:
            self.defaults["links"] = list(links)

    def json(self, number, x, y):
        body = {"id": number, **self.body, "gridPos": {"h": self.height, "w": self.width, "x": x, "y": y}}
        if self.body["type"] == "row":
            return {**body, "collapsed": False, "panels": []}
        defaults = {"color": {"mode": "palette-classic"}, "mappings": [], **self.defaults}
        if self.custom:
            defaults["custom"] = self.custom
        body.update(datasource=DATASOURCE, fieldConfig={"defaults": defaults, "overrides": self.overrides}, options=self.options,
                    targets=[query.target(chr(ord("A") + at), self.is_table) for at, query in enumerate(self.queries)])
        if self.transformations:
            body["transformations"] = self.transformations
        return body


def timeseries(title, description, given, unit="short", width=8, height=8, stack=False, least=None, most=None, steps=None, legend="list", decimals=None, mirrored=()):
    """`mirrored`: a pattern of the names of series drawn below zero, such as what is sent."""
    panel = Panel("timeseries", title, description, given, width, height)
    panel.defaults["unit"] = unit
    for key, value in (("min", least), ("max", most), ("decimals", decimals)):
        if value is not None:
            panel.defaults[key] = value
    panel.custom = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 60 if stack else 10, "showPoints": "never", "spanNulls": False,
                    "stacking": {"mode": "normal" if stack else "none", "group": "A"}}
    if steps:
        panel.defaults["thresholds"] = steps
        panel.custom["thresholdsStyle"] = {"mode": "dashed"}
    for pattern in mirrored:
        panel.overrides.append({"matcher": {"id": "byRegexp", "options": pattern}, "properties": [{"id": "custom.transform", "value": "negative-Y"}]})
    panel.options = {"legend": {"displayMode": legend, "placement": "bottom", "showLegend": True, "calcs": ["lastNotNull", "max"] if legend == "table" else []},
                     "tooltip": {"mode": "multi", "sort": "desc"}}
    return panel


def stat(title, description, expr, unit="short", width=3, height=4, steps=None, texts=None, graph=True, decimals=None, links=()):
    panel = Panel("stat", title, description, expr, width, height, links)
    panel.defaults.update(unit=unit, color={"mode": "thresholds"}, thresholds=steps or thresholds())
    if decimals is not None:
        panel.defaults["decimals"] = decimals
    if texts:
        panel.defaults["mappings"] = mappings(texts)
    panel.options = {"colorMode": "value", "graphMode": "area" if graph else "none", "justifyMode": "auto", "textMode": "auto", "orientation": "auto",
                     "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
    if not graph:
        for query in panel.queries:
            query.instant = True
    return panel


def bars(title, description, given, unit="short", width=8, height=8, steps=None, least=0, most=None):
    """Now, one bar for each series."""
    panel = Panel("bargauge", title, description, given, width, height)
    panel.defaults.update(unit=unit, min=least, color={"mode": "thresholds"}, thresholds=steps or thresholds())
    if most is not None:
        panel.defaults["max"] = most
    panel.options = {"displayMode": "gradient", "orientation": "horizontal", "showUnfilled": True, "valueMode": "color",
                     "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
    for query in panel.queries:
        query.instant = True
    return panel


def states(title, description, given, texts, width=24, height=8):
    """A band for each series, coloured by its value."""
    panel = Panel("state-timeline", title, description, given, width, height)
    panel.defaults.update(color={"mode": "thresholds"}, thresholds=thresholds(base=GREY), mappings=mappings(texts))
    panel.custom = {"fillOpacity": 80, "lineWidth": 0}
    panel.options = {"mergeValues": True, "showValue": "never", "rowHeight": 0.85, "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True}, "tooltip": {"mode": "single"}}
    return panel


def table(title, description, columns, keys, width=24, height=10, sort=None, links=None):
    """`columns`: (expression, title, unit[, thresholds]), all with the labels `keys` only: a row for each of their values. `links`: of a key's cells."""
    panel = Panel("table", title, description, [column[0] for column in columns], width, height)
    panel.custom = {"align": "auto", "cellOptions": {"type": "auto"}, "filterable": True}
    renamed = {f"Value #{chr(ord('A') + at)}": column[1] for at, column in enumerate(columns)}
    if len(columns) == 1:
        renamed = {"Value": columns[0][1]}
    order = {name: at for at, name in enumerate([*keys, *renamed])}
    panel.transformations = [{"id": "merge", "options": {}}, {"id": "organize", "options": {"excludeByName": {"Time": True}, "indexByName": order, "renameByName": renamed}}]
    for column in columns:
        properties = {"unit": column[2]}
        if len(column) > 3:
            properties.update({"thresholds": column[3], "color": {"mode": "thresholds"}, "custom.cellOptions": {"type": "color-text"}})
        panel.overrides.append(override(column[1], **properties))
    for key, link in (links or {}).items():
        panel.overrides.append(override(key, links=[link]))
    panel.options = {"showHeader": True, "cellHeight": "sm", "footer": {"show": False}, "sortBy": [{"displayName": sort, "desc": True}] if sort else []}
    return panel


def row(title):
    return Panel("row", title, "", width=24, height=1)


def variable(name, label, query, multi=False):
    """The values of a label, by Grafana's label_values(): of many all, of one the first."""
    body = {"name": name, "label": label, "type": "query", "datasource": DATASOURCE, "definition": query, "query": {"query": query, "refId": "variable"},
            "refresh": 2, "sort": 1, "multi": multi, "includeAll": multi, "hide": 0, "skipUrlSync": False, "regex": "", "options": []}
    body["current"] = {"selected": True, "text": ["All"], "value": ["$__all"]} if multi else {}
    return body


def link_to(uid, title, **variables):
    """A data link that takes along the time range, the data source and the variables named."""
    query = "&".join([f"var-{name}={value}" for name, value in variables.items()] + ["var-datasource=${datasource}", "${__url_time_range}"])
    return {"title": title, "url": f"/d/{uid}?{query}", "targetBlank": False}


def dashboard(uid, title, description, variables, panels, refresh="10s", start="now-1h"):
    datasource = {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "refresh": 1, "regex": "", "multi": False,
                  "includeAll": False, "hide": 0, "skipUrlSync": False, "current": {}, "options": []}
    placed, x, y, line = [], 0, 0, 0
    for number, panel in enumerate(panels, 1):
        if x + panel.width > 24:
            x, y, line = 0, y + line, 0
        placed.append(panel.json(number, x, y))
        x, line = x + panel.width, max(line, panel.height)
    return {
        "uid": uid, "title": title, "description": description, "tags": ["vigil"], "timezone": "browser", "schemaVersion": 39, "version": 1, "editable": True, "graphTooltip": 1,
        "refresh": refresh, "time": {"from": start, "to": "now"}, "timepicker": {"refresh_intervals": ["1s", "5s", "10s", "30s", "1m", "5m"]}, "fiscalYearStartMonth": 0, "weekStart": "",
        "liveNow": False, "links": [{"type": "dashboards", "tags": ["vigil"], "title": "vigil", "asDropdown": True, "includeVars": True, "keepTime": True, "targetBlank": False, "icon": "external link", "tooltip": "", "url": ""}],
        "annotations": {"list": [{"builtIn": 1, "datasource": {"type": "grafana", "uid": "-- Grafana --"}, "enable": True, "hide": True, "iconColor": "rgba(0, 211, 255, 1)",
                                  "name": "Annotations & Alerts", "type": "dashboard"}]},
        "templating": {"list": [datasource, *variables]},
        "panels": placed,
    }
