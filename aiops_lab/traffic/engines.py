"""A lab's tables in DuckDB or Spark: the same rows, read where the larger machine is."""

from __future__ import annotations

from typing import Any

import polars as pl

from aiops_lab.errors import BadSettings
from aiops_lab.settings import ENGINES
from aiops_lab.store import REPLACED, Store
from aiops_lab.tables import KEYS, SCHEMAS

SHOWN = """
SELECT {columns} FROM (
  SELECT t.*, row_number() OVER (PARTITION BY {keys} ORDER BY l.nth {order}) AS seen
  FROM {table} t JOIN {listed} l ON t.attempt = l.attempt
) WHERE seen = 1
"""
"""The visible rows of a table: those of listed attempts, of a key the last or the first."""


def relation(store: Store, table: str, engine: str, session: Any = None) -> Any:
    """The visible rows of a table in an engine: a Polars, DuckDB or Spark frame, read when used.

    Parameters
    ----------
    session
        A DuckDB connection or a Spark session; one of its own by default.

    Raises
    ------
    BadSettings
        No such engine, or it is not installed.
    """
    if engine not in ENGINES:
        raise BadSettings(f"no engine {engine!r}; there are {', '.join(ENGINES)}")
    if engine == "polars":
        return store.scan(table)
    if isinstance(store.root, str):
        raise BadSettings(f"the tables are in {store.root}, which {engine} cannot read: use polars")
    files = store.files(table)
    if not files:
        return None
    listed = store.listed().sort("at").select("attempt").with_row_index("nth")
    have = store.columns(table)  # a lab may be older than a column
    names = {"table": f"aiops_{table}", "listed": f"aiops_{table}_listed"}
    quote = '"' if engine == "duckdb" else "`"
    query = SHOWN.format(
        columns=", ".join(f"{quote}{name}{quote}" for name in SCHEMAS[table] if name in have),
        keys=", ".join(KEYS[table]), order="DESC" if table in REPLACED else "ASC", **names,
    )  # fmt: skip
    run = _duckdb if engine == "duckdb" else _spark
    return run(files, listed, names, query, session)


def session(engine: str) -> Any:
    """A session of an engine, in which several tables can be joined; None where none is needed."""
    if engine == "duckdb":
        return _connection()
    return None  # Spark has one of its own for all


def _connection() -> Any:
    try:
        import duckdb
    except ImportError:
        raise BadSettings("DuckDB is not installed: pip install aiops-lab[duckdb]") from None
    return duckdb.connect()


def _duckdb(
    files: list[str], listed: pl.DataFrame, names: dict[str, str], query: str, session: Any
) -> Any:
    connection = session or _connection()
    connection.execute("SET TimeZone = 'UTC'")
    connection.register(names["table"], connection.read_parquet(files, union_by_name=True))
    connection.register(names["listed"], listed.to_arrow())
    return connection.sql(query)


def _spark(
    files: list[str], listed: pl.DataFrame, names: dict[str, str], query: str, session: Any
) -> Any:
    try:
        from pyspark.sql import SparkSession  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise BadSettings("Spark is not installed: pip install aiops-lab[spark]") from None
    session = session or SparkSession.builder.appName("aiops-lab").getOrCreate()
    session.conf.set("spark.sql.session.timeZone", "UTC")
    session.read.option("mergeSchema", True).parquet(*files).createOrReplaceTempView(names["table"])
    rows = [(nth, attempt) for nth, attempt in listed.iter_rows()]
    session.createDataFrame(rows, "nth long, attempt string").createOrReplaceTempView(
        names["listed"]
    )
    return session.sql(query)
