"""Table files: CSV, JSONL, JSON or Parquet.

Three more keys of a mapping (see `flat`) shape nested JSON: ``rows`` (path of the list of rows),
``explode`` (path of a list in each row, one row an item) and ``where`` (path -> text that must
match).
"""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from aiops_lab.errors import BadSettings, BadSource
from aiops_lab.sources import calls, decisions
from aiops_lab.sources.contract import Batch, Mapping, Problem, Source
from aiops_lab.sources.flat import (
    CANONICAL,
    NAME,
    SHAPING,
    as_object,
    from_frame,
    listed,
    separator_of,
)
from aiops_lab.sources.jsonio import compact, decode, lines, mapped
from aiops_lab.sources.rows import thin
from aiops_lab.tables import SCHEMAS

UTF_16 = (b"\xff\xfe", b"\xfe\xff")
ANYTHING = msgspec.json.Decoder(Any)
RETRIEVAL = [c for table in ("questions", "chunks", "hits") for c in SCHEMAS[table]]


def check_mapping(mapping: Mapping) -> None:
    """Refuse a mapping of names that no canonical table has.

    Raises
    ------
    BadSettings
        An unknown name; the nearest known one is suggested.
    """
    known = [*dict.fromkeys([*CANONICAL, *calls.COLUMNS, *decisions.COLUMNS, *SHAPING, *RETRIEVAL])]
    for name in mapping:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(known))}"
            raise BadSettings(f"no canonical column {name!r}; {hint}")


def sniff(path: Path, head: bytes) -> bool:
    """Whether this looks like a table at all; this reader is asked last."""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start[:4] == b"PAR1" or start[:1] in (b"{", b"["):
        return True
    first = start.split(b"\n", 1)[0]
    return b"\0" not in head and (b"," in first or b"\t" in first or b";" in first)


def read(
    path: Path, *, texts: bool = True, mapping: Mapping | None = None, as_calls: bool = False
) -> Iterator[Batch]:
    """Read one table file; a run without a name of its own is called after the file."""
    mapping = mapping or {}
    problems: list[Problem] = []
    with path.open("rb") as file:
        start = file.read(4096)
    if start[:2] in UTF_16:
        start = start.decode("utf-16", "ignore").encode()
    start = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start[:4] == b"PAR1":
        frame = _parquet(path)
    elif start[:1] in (b"{", b"["):
        frame = _from_json(path, mapping, problems, as_calls)
        mapping = {name: theirs for name, theirs in mapping.items() if name not in SHAPING}
    else:
        frame = _csv(path, problems)
    kind = kind_of(frame.columns, mapping, as_calls)
    batch = rows_of(kind, frame, mapping, path.stem, path.resolve().as_uri())
    yield Batch(batch.tables, [*problems, *batch.problems], batch.runs)


def kind_of(columns: Collection[str], mapping: Mapping, as_calls: bool) -> str:
    """What the rows of a table with these columns are: answers, calls, or decisions."""
    if not as_calls and decisions.kind_of(columns, mapping):
        return decisions.NAME
    return calls.NAME if as_calls or calls.is_calls(columns, mapping) else NAME


def rows_of(kind: str, frame: pl.DataFrame, mapping: Mapping, run: str, uri: str) -> Batch:
    """Rows of the canonical tables out of a table of that kind."""
    if kind == decisions.NAME:
        return decisions.from_table(frame, mapping)
    if kind == calls.NAME:
        return calls.from_table(frame, mapping)
    return from_frame(frame, mapping, default_run=run, uri=uri)


def _parquet(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise BadSource(f"not a complete Parquet file: {str(error)[:200]}") from None


def _csv(path: Path, problems: list[Problem]) -> pl.DataFrame:
    """All columns as text, so that ids stay as they are; rows of another width are set aside."""
    data = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    try:
        text = data.decode("utf-16" if data[:2] in UTF_16 else "utf-8")
    except UnicodeDecodeError as error:
        raise BadSource(f"not UTF-8 text: {error.reason} at byte {error.start}") from None
    if text.count('"') % 2:
        raise BadSource("a quotation mark is never closed, so rows cannot be told apart")
    first = text.split("\n", 1)[0]
    separator = separator_of(first)
    names = next(csv.reader([first.rstrip("\r")], delimiter=separator), [])
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise BadSource(f"two columns are called {twice!r}", "row 0")
    try:
        return pl.read_csv(text.encode(), separator=separator, infer_schema=False)
    except pl.exceptions.PolarsError:
        return _ragged(text, separator, problems)


def _ragged(text: str, separator: str, problems: list[Problem]) -> pl.DataFrame:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    rows: list[list[str | None]] = []
    names: list[str] = []
    try:
        names = next(reader, [])
        for place, row in enumerate(reader, 1):
            if len(row) == len(names):
                rows.append([cell or None for cell in row] + [str(place)])
            elif row:
                problems.append(
                    Problem(f"row {place}", f"{len(row)} cells where the header has {len(names)}")
                )
    except csv.Error as error:
        problems.append(Problem(f"line {reader.line_num}", str(error)))
    schema = dict.fromkeys([*names, "_place"], pl.String)
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(
        pl.col("_place").cast(pl.Int64)
    )


def _from_json(
    path: Path, mapping: Mapping, problems: list[Problem], as_calls: bool
) -> pl.DataFrame:
    """Rows of nested JSON as flat text columns: the ones mapped, the ones named canonically."""
    rows: list[dict[str, Any]] = []
    places: list[int] = []
    for place, row in json_rows(path, mapping, problems):
        for item in _exploded(row, mapping.get("explode")):
            if all(str(_at(item, p)) == str(v) for p, v in (mapping.get("where") or {}).items()):
                rows.append(item)
                places.append(place)
    keys = {key for row in rows for key in row}
    kind = kind_of(keys, mapping, as_calls)
    if kind == decisions.NAME:
        inside = {str(mapping[name]) for name in decisions.COLUMNS if name in mapping} - keys
        paths = {path for path in inside if any(_at(row, path) is not None for row in rows)}
        flat = {name: [_plain(_at(row, name)) for row in rows] for name in sorted(keys | paths)}
        told = pl.DataFrame(flat, schema=dict.fromkeys(flat, pl.String))
        return told.with_columns(pl.Series("_place", places, pl.Int64))
    as_calls = kind == calls.NAME
    known = calls.COLUMNS if as_calls else tuple(CANONICAL)
    wanted = {
        str(t)
        for name, theirs in mapping.items()
        if name in known or name == "value"
        for t in listed(theirs)
    }
    paths = {path for path in wanted if not path.startswith("=")}
    missing = sorted(path for path in paths if all(_at(row, path) is None for row in rows))
    if missing and rows:
        raise BadSettings(f"no row has {missing[0]!r}; the first row has {', '.join(rows[0])}")
    used = ({path.split(".")[0] for path in paths} | set(known)) - {"metadata"}
    columns = [*sorted(paths), *(name for name in known if name not in paths)]
    rest = [_nested({k: v for k, v in row.items() if k not in used}) for row in rows]
    data = {name: [_plain(_at(row, name)) for row in rows] for name in columns}
    frame = pl.DataFrame(data, schema=dict.fromkeys(columns, pl.String))
    given = [name for name in columns if name in paths or frame[name].count()]
    metadata = [compact(row if as_calls else thin(row)) if row else None for row in rest]
    if not given:
        raise BadSource(f"none of its keys is a canonical column: {', '.join(sorted(keys))[:500]}")
    return frame.select(given).with_columns(
        pl.Series("_place", places, pl.Int64), pl.Series("metadata", metadata, pl.String)
    )


def _nested(row: dict[str, Any]) -> dict[str, Any]:
    """A row's other keys, with those inside a metadata object beside them."""
    inner = row.pop("metadata", None)
    return {**(inner if isinstance(inner, dict) else as_object(inner)), **row} if inner else row


def json_rows(
    path: Path, mapping: Mapping, problems: list[Problem]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a JSON document or of JSON lines, with their places; what is none is told."""
    try:
        document = decode(mapped(path), ANYTHING)
    except BadSource as error:
        several_lines = b"\n" in path.read_bytes().strip()
        if not several_lines:
            raise error
        yield from _json_lines(path, problems)
        return
    listed = _at(document, mapping["rows"]) if "rows" in mapping else document
    for place, row in enumerate(listed if isinstance(listed, list) else [listed], 1):
        if isinstance(row, dict):
            yield place, row
        else:
            problems.append(Problem(f"row {place}", "not an object"))


def _json_lines(path: Path, problems: list[Problem]) -> Iterator[tuple[int, dict[str, Any]]]:
    for place, line in lines(path):
        try:
            row = decode(line, ANYTHING, f"line {place}")
        except BadSource as error:
            problems.append(Problem(error.place, error.reason))
            continue
        if isinstance(row, dict):
            yield place, row
        else:
            problems.append(Problem(f"line {place}", "not an object"))


def _exploded(row: dict[str, Any], path: str | None) -> Iterator[dict[str, Any]]:
    items = _at(row, path) if path else None
    if not path or not isinstance(items, list):
        yield row
        return
    for item in items:
        yield {**row, path: item}


def _at(value: Any, path: str) -> Any:
    """The value at a dotted path; a key that itself has dots is found first."""
    if isinstance(value, dict) and path in value:
        return value[path]
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _plain(value: Any) -> str | None:
    match value:
        case None | str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
    return compact(value)


SOURCE = Source(NAME, 2, sniff, read)
CALLS = Source(calls.NAME, 1, lambda path, head: False, partial(read, as_calls=True))
"""The same of calls where their columns do not tell."""
