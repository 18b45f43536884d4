"""One look for all charts, and how a chart leaves a notebook."""

from __future__ import annotations

from typing import Any

import altair as alt

from aiops_lab.wording import all_visible

MIME = "application/vnd.vegalite.v5+json"
"""The newest Vega-Lite MIME type that JupyterLab draws; notebook validation accepts it too."""
BASELINE, CANDIDATE = "#7f7f7f", "#0072b2"
BETTER, WORSE = "#009e73", "#d55e00"
HEIGHT = 320
WIDTH = 640
MOST_ROWS = 12
"""Beyond this a chart shows the rows that matter most and says how many more there are."""


def enable() -> None:
    """Use the house's theme and renderer for every chart."""
    alt.theme.register("aiops_lab", enable=True)(_theme)
    alt.renderers.register("aiops_lab", _render)
    alt.renderers.enable("aiops_lab")
    alt.data_transformers.disable_max_rows()


def _theme() -> alt.theme.ThemeConfig:
    font = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"
    return {
        "config": {
            "font": font,
            "background": "white",
            "view": {"stroke": None, "continuousHeight": HEIGHT},
            "title": {"anchor": "start", "fontSize": 15, "subtitleFontSize": 12, "offset": 12},
            "axis": {
                "labelFontSize": 12,
                "titleFontSize": 12,
                "titleFontWeight": "normal",
                "gridOpacity": 0.35,
                "labelLimit": 220,
                "domain": False,
                "tickOpacity": 0.4,
            },
            "legend": {"labelFontSize": 12, "titleFontSize": 12, "orient": "top", "title": None},
            "text": {"fontSize": 12},
            "header": {"labelFontSize": 13, "titleFontSize": 13},
        }
    }


def _render(spec: dict[str, Any], **_: Any) -> dict[str, Any]:
    """The MIME bundle of a chart.

    JupyterLab 4.6 redraws a chart as wide as its container without end, so there it has a width
    of its own; a page reads `usermeta` and makes it as wide as the page. Without a ``$schema``
    neither complains of the other's version.
    """
    spec = {key: all_visible(value) for key, value in spec.items() if key != "$schema"}
    if spec.get("width") == "container":
        spec |= {"width": WIDTH, "usermeta": {"width": "container"}}
    title = spec.get("title", "")
    text = title.get("text", "") if isinstance(title, dict) else title
    return {MIME: spec, "text/plain": f"Chart: {text or 'without a title'}"}
