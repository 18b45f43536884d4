"""The figures of a chart as a table, read out of its specification: for who cannot see it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from aiops_lab.charts.table import Table, cell

Spec: TypeAlias = Mapping[str, Any]
MOST_FIGURES = 200


def figures(spec: Spec) -> Table | None:
    """What a Vega-Lite chart draws, as its tooltips name it; None where it holds no rows.

    Of several layers, the one whose tooltips tell all of the most rows; without tooltips, the
    fields of the encodings. At most 200 rows.

    Examples
    --------
    >>> spec = {"data": {"values": [{"a": "x", "b": 0.5}]}, "mark": "bar",
    ...         "encoding": {"tooltip": [{"field": "a"}, {"field": "b", "title": "share"}]}}
    >>> figures(spec).columns, figures(spec).rows
    (['a', 'share'], [[('x', None), ('0.500', 0.5)]])
    """
    best: tuple[Any, ...] = ()
    for rows, encoding in _marks(spec, spec, [], {}):
        tips = _named(encoding.get("tooltip"))
        found = tips or {k: v for e in encoding.values() for k, v in _named(e).items()}
        titles = {field: name for field, name in found.items() if any(field in r for r in rows)}
        whole = [row for row in rows if all(row.get(field) is not None for field in titles)]
        best = max(best, (bool(tips), len(whole), whole or rows, titles), key=lambda b: b[:2])
    if not best or not best[3]:
        return None
    *_, rows, titles = best
    told = dict.fromkeys(tuple(cell(_day(row.get(field))) for field in titles) for row in rows)
    shown = [list(row) for row in list(told)[:MOST_FIGURES]]
    return Table("", list(titles.values()), shown, len(told))


def _marks(whole: Spec, part: Spec, rows: list[Any], encoding: Spec) -> Iterator[tuple[Any, Spec]]:
    """Each mark's rows and encoding, with what it takes over from the chart around it."""
    data = _mapping(part.get("data"))
    if isinstance(data.get("name"), str):
        rows = _mapping(whole.get("datasets")).get(data["name"], [])
    rows = data.get("values", rows)
    encoding = {**encoding, **_mapping(part.get("encoding"))}
    within = [part[k] for k in ("layer", "hconcat", "vconcat", "concat") if k in part]
    inner = [one for many in within if isinstance(many, list) for one in many]
    for one in filter(None, [*inner, part.get("spec")]):
        yield from _marks(whole, _mapping(one), rows, encoding)
    if "mark" in part and isinstance(rows, list):
        kept = [row for row in rows if isinstance(row, dict)]
        if kept:
            yield kept, encoding


def _named(channel: Any) -> dict[str, str]:
    """Field -> title of one channel, or of the list of them that a tooltip may be."""
    channels = channel if isinstance(channel, list) else [channel]
    known = [c for c in map(_mapping, channels) if isinstance(c.get("field"), str)]
    return {c["field"]: str(c.get("title") or c["field"].replace("_", " ")) for c in known}


def _day(value: Any) -> Any:
    """A day without the midnight that charts need."""
    return value.removesuffix("T00:00:00") if isinstance(value, str) else value


def _mapping(value: Any) -> Spec:
    return value if isinstance(value, Mapping) else {}
