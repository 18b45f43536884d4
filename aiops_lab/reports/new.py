"""A notebook of one's own: the right first cells, and an answer that runs."""

from __future__ import annotations

from pathlib import Path

import nbformat

from aiops_lab.errors import BadSettings
from aiops_lab.files import write_text
from aiops_lab.settings import REPORT_NAME

PARAMETERS = """\
lab: str = ""  # folder of the lab; empty: the one in AIOPS_LAB, else the demo lab
run: str = "latest"  # the run to look at: an id, a unique prefix, @tag, latest~1
metric: str = ""  # the score to judge; empty: the first
least: float = 0.5  # the lowest mean that is good enough"""
ANSWER = """\
import polars as pl

import aiops_lab as al
from aiops_lab.charts import table
from aiops_lab.charts.intervals import RULED, intervals
from aiops_lab.stats.single import single_mean
from aiops_lab.wording import figure, interval

opened = al.open_lab(lab)
scores = opened.scores(run).drop_nulls("value")
metric = metric or scores["metric"].first()
questions = scores.filter(metric=metric).group_by("sample_id").agg(pl.col("value").mean())
mean = single_mean(questions["value"])
met, missed = (mean.low or 0) >= least, (mean.high or 1) < least
status = "ok" if met else "fail" if missed else "inconclusive"
told = f"{figure(mean.mean)} {interval(mean.low, mean.high)}"
evidence = (al.Evidence(metric, mean.mean, mean.low, mean.high, least, status),)
al.Verdict(status, f"{metric} is {told}, limit {least}.", evidence, "Read the answers below.")"""
PICTURE = """\
row = {"name": metric, "told": told, "value": mean.mean, "low": mean.low, "high": mean.high}
row |= {"state": status, "questions": mean.n, "method": mean.method}
rules = {least: "limit"}
intervals([row], f"{metric} is {told}", "95 % interval", axis="mean", states=RULED, rules=rules)"""
CASES = """\
worst = questions.sort("value", "sample_id").head(20)
texts = opened.samples(run).select("sample_id", "input", "target", "output")
table(worst.join(texts, on="sample_id", maintain_order="left"), title="The lowest answers")"""
CELLS = (
    ("markdown", "# {question}\n\nWhat is asked, why it matters, and how to read the answer.", ""),
    ("code", PARAMETERS, "parameters"),
    ("code", ANSWER, ""),
    ("markdown", "## Why\n\nThe one picture that carries the verdict.", ""),
    ("code", PICTURE, ""),
    ("markdown", "## Show me\n\nThe cases it comes from.", ""),
    ("code", CASES, ""),
)


def new_notebook(folder: Path, name: str) -> Path:
    """Write ``NAME.ipynb`` into a folder: parameters, a verdict, a picture, a table.

    Raises
    ------
    BadSettings
        A name that is no file's, or one that is taken.
    """
    if not REPORT_NAME.fullmatch(name):
        raise BadSettings(f"a notebook cannot be called {name!r}: letters, digits, . + - _")
    path = folder / f"{name.removesuffix('.ipynb')}.ipynb"
    if path.exists():
        raise BadSettings(f"{path} exists; choose another name")
    question = f"{path.stem.replace('_', ' ').capitalize()}?"
    cells = []
    for number, (kind, source, tag) in enumerate(CELLS):
        make = nbformat.v4.new_code_cell if kind == "code" else nbformat.v4.new_markdown_cell
        text = source.format(question=question) if number == 0 else source
        metadata = {"tags": [tag]} if tag else {}
        cells.append(make(text, id=f"cell-{number}", metadata=metadata))
    spec = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": spec})
    folder.mkdir(parents=True, exist_ok=True)
    write_text(path, nbformat.writes(notebook) + "\n")
    return path
