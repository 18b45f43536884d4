"""``lab.toml``: a lab's settings, typed; unknown keys are refused with the nearest known one.

Long because the commented file that a new lab gets stands beside the types that read it.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from aiops_lab.errors import BadSettings
from aiops_lab.place import ADDRESS

TEMPLATE = """\
# Settings of this lab. Every line is optional; remove the # to use one.

# Tables whose columns have other names: canonical = "theirs".
# [columns]
# sample_id = "question_id"
# input = "question"
# output = "answer"
# value = ["accuracy", "faithfulness"]     # score columns; each becomes a metric

# Which way is better, where the logs do not say; higher is the default.
# [directions]
# latency_score = "lower"

# What a model costs, in dollars a million tokens, where the logs do not say.
# [prices."openai/gpt-4o"]
# input = 2.5
# output = 10.0

# What a release must keep (aiops-lab gate). Every rule with the role gate or guardrail must pass.
# [gate.metrics.accuracy]
# role = "gate"              # gate, guardrail or info (shown, decides nothing)
# margin = 0.02              # the loss that is accepted, in the metric's own unit (else 0)
# floor = 0.85               # what the candidate must reach, whatever the baseline did
# human = "accuracy_human"   # a metric of human labels that a judge is checked against
# [gate.caps]
# tokens = "+20%"            # ratio of geometric means; also cost, latency, tokens_out, characters
# latency_p95 = "+10%"       # a quantile; a plain number is a limit in its own unit
# refusal = 0.05             # a rate; "+2 points" allows a rise; also error, invalid_json, tone
# [gate]
# max_budget_share = 0.25    # of the error budget of each [[slo]] a change may spend so much

# Reports on a schedule; cron, a timer or CI calls "aiops-lab report --due" (docs/scheduling.md).
# [[reports]]
# name = "nightly"
# notebook = "ship_compare_runs"
# cron = "0 6 * * *"                       # minute hour day month weekday
# timezone = "Europe/Berlin"               # else UTC
# parameters = { baseline = "@prod" }
# keep = 30                                # pages, or "90 days"
# tell = ["$TEAM_CHANNEL"]                 # Apprise addresses: when it gets worse, when it recovers

# Documents that ship_chunking_retrieval divides and searches; paths begin in this folder.
# [retrieval]
# corpus = "documents"                     # a folder or a table; "demo:handbook", "python:topics"
# questions = "questions.jsonl"            # else those that were ingested

# Tables in an object store instead of this folder (docs/scheduling.md); all else stays here.
# [store]
# uri = "s3://my-bucket/labs/answers"      # credentials and endpoint: the AWS_* variables

# Attributes of spans that tell what a request was about, where they have names of their own.
# [traffic]
# slice = "my.feature"
# language = "my.language"
# tenant = "my.customer"
# refusals = "refusals.json"               # a detector of your own (learn_refusals), in this folder
# engine = "duckdb"                        # what summarise(lab) runs on: polars, duckdb or spark

# What you promise of answers in production (docs/objectives.md, aiops-lab slo check).
# [[slo]]
# name = "grounded"
# metric = "grounded"
# good = ">= 0.8"                          # or "0.2 to 0.8", true, ["supported"]; or bad = ...
# target = "95 %"                          # of answers; or 0.95
# window = "28d"                           # or "1M calendar" with start = "2026-01-01", timezone
# filter = "language=de"                   # a slice; all by default
# sampling = 0.1                           # the share of answers that the judge sees
# judge = { true_positives = 85, positives = 100, true_negatives = 396, negatives = 400 }
# budgeting = "occurrences"                # timeslices, ratio_timeslices: with timeslice_window
# alerts = [{ budget = "5 %", window = "6h", severity = "page" }]     # or burn_rate = 6
# exclude = [{ from = "2026-05-01T10:00", until = "2026-05-01T14:00", reason = "load test" }]  # UTC

# What follows when an error budget is spent. With it, the gate fails while one is used up, unless
# the change is a fix (aiops-lab gate --fix "why").
# [budget_policy]
# note = "50 %"                            # of a budget: someone looks at what spends it
# restrict = "75 %"                        # only small changes are released
# freeze = "100 %"                         # only fixes are
# incident = "20 %"                        # one incident that spent so much asks for a postmortem
# owner = "Team Answers"                   # also escalate, review = "2027-01-01", for the page
# escalate = "Head of product"

# What a security review holds traffic and attacks against (docs/guard.md).
# [guard]
# max_attack_rate = 0.05                   # of attacks: what the upper bound must be under
# prevalence = 0.001                       # the share of requests that you think are attacks
# allowed_tools = ["booking_lookup"]       # any other call is a finding; also allowed_models
# [guard.canaries.tenants]
# acme = "9f3a61c0d2e477b8"                # a random token planted in what is theirs alone
# [guard.canaries.prompts]
# support = "c0ffee12345678ab"             # and one in each system prompt
# [guard.detectors."dan.DAN"]              # what its detector gets right, of answers you labelled
# sensitivity = 0.9
# specificity = 0.95
# positives = 100                          # so many of each kind were labelled
# negatives = 200

# Secrets and personal data in reports, gates and exports: by default replaced where the lab
# holds traffic.
# [redact]
# on = true
"""
DEMO_GATE = """
# The policy of the demo.
[gate.metrics.correct]
margin = 0.1

[gate.metrics.relevance]
margin = 0.02
floor = 0.4

[gate.caps]
tokens = "+50%"
latency_p95 = "+60%"
refusal = 0.05

# What the demo promises of its answers.
[[slo]]
name = "grounded answers"
metric = "grounded"
good = ">= 0.5"
target = "90 %"
sampling = 0.15
alerts = [{ budget = "5 %", window = "1d", severity = "page" }]

[[slo]]
name = "answers, not refusals"
metric = "refusal"
bad = true
target = "95 %"
alerts = [
  { budget = "2 %", window = "1h", severity = "page" },
  { budget = "10 %", window = "3d", severity = "ticket" },
]

[[slo]]
name = "valid YAML"
metric = "yaml_valid"
good = true
target = "95 %"

[[slo]]
name = "answers within 4 seconds"
metric = "latency_s"
good = "<= 4"
target = "98 %"
window = "1M calendar"

# The documents that the demo divides and searches.
[retrieval]
corpus = "demo:handbook"

# What the demo's traffic is held against.
[guard]
allowed_tools = ["booking_lookup"]
[guard.canaries.tenants]
partners = "4b7e90d2c6a81f35"
"""
REPORT_NAME = re.compile(r"(?!(?i:latest)$)\w[\w .+-]{0,149}")
"""A report's name is a folder's too."""
ENGINES = ("polars", "duckdb", "spark")
ROLES = ("gate", "guardrail", "info")
JUDGE = ("true_positives", "positives", "true_negatives", "negatives")


class Price(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Dollars a million tokens."""

    input: float
    output: float


class MetricRule(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What is asked of one metric; see the template of ``lab.toml``."""

    role: str = "gate"
    direction: str | None = None
    margin: float | None = None
    floor: float | None = None
    human: str | None = None

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise ValueError(f'role is one of {", ".join(ROLES)}, not "{self.role}"')
        _check_direction("direction", self.direction or "higher")
        if self.floor is not None and not abs(self.floor) < float("inf"):
            raise ValueError(f"a floor is a number, not {self.floor}")
        if self.margin is not None and not 0 <= self.margin < float("inf"):
            raise ValueError(f"a margin is the loss that is accepted, 0 or more, not {self.margin}")

    @property
    def accepted(self) -> float | None:
        """The loss that is accepted: none at all where neither a margin nor a floor is given."""
        return 0.0 if self.margin is self.floor is None else self.margin


class Gate(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The policy of a release gate."""

    metrics: dict[str, MetricRule] = {}
    caps: dict[str, float | str] = {}
    cluster: str | None = None
    inconclusive: str = "inconclusive"
    max_budget_share: float | None = None

    def __post_init__(self) -> None:
        share = self.max_budget_share
        if share is not None and not 0 < share < float("inf"):
            raise ValueError(f"max_budget_share is a share of a budget above 0, not {share:g}")
        if self.inconclusive not in ("inconclusive", "fail"):
            raise ValueError('inconclusive counts as "inconclusive" or as "fail"')


class ReportRule(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A report on a schedule; see the template of ``lab.toml``."""

    name: str
    notebook: str
    cron: str
    timezone: str = "UTC"
    parameters: dict[str, Any] = {}
    keep: int | str = 30
    tell: list[str] = []

    def __post_init__(self) -> None:
        if not REPORT_NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is no name of a report: letters, digits, . + - _")
        self.after(datetime.now(UTC))
        self.kept  # noqa: B018

    def after(self, moment: datetime) -> Iterator[datetime]:
        """The times it is due after a moment, in UTC.

        Where clocks change, as Debian's cron: what the lost hour skips runs once after it, what
        the doubled hour has twice runs once.
        """
        from cronsim import CronSim, CronSimError

        try:
            local = moment.astimezone(ZoneInfo(self.timezone))
            return (time.astimezone(UTC) for time in CronSim(self.cron, local))
        except (CronSimError, ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"report {self.name!r}: {error}") from None

    @property
    def kept(self) -> int | timedelta:
        """How many pages are kept, or those of how long."""
        if isinstance(self.keep, int) and self.keep >= 1:
            return self.keep
        if days := re.fullmatch(r"(\d{1,5}) days?", str(self.keep)):
            return timedelta(days=int(days[1]))
        raise ValueError(f'report {self.name!r}: keep is a number of pages or "N days"')


class Traffic(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The attributes that tell a request's dimensions, where they have names of their own."""

    tenant: str | None = None
    slice: str | None = None
    language: str | None = None
    retrieval_version: str | None = None
    parser_version: str | None = None
    code_version: str | None = None
    refusals: str | None = None
    engine: str = "polars"

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise ValueError(f'engine is "polars", "duckdb" or "spark", not "{self.engine}"')

    def names(self) -> dict[str, list[str]]:
        """Column of a request -> the attribute that tells it."""
        return {
            name: [value]
            for name in self.__struct_fields__
            if name not in ("engine", "refusals") and (value := getattr(self, name))
        }


class SloAlert(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """When someone is told that a budget burns: by a rate, or by a share of it in a window."""

    window: str
    burn_rate: float | None = None
    budget: float | str | None = None
    severity: str = "page"
    after: str = "0m"
    name: str | None = None


class SloExclusion(
    msgspec.Struct, forbid_unknown_fields=True, frozen=True, rename={"begin": "from"}
):
    """Time that does not count, and why."""

    begin: str
    until: str
    reason: str


class Slo(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A service level objective; see the template of ``lab.toml``.

    Its texts are read where objectives are, `aiops_lab.target`.
    """

    name: str
    metric: str | None = None
    good: Any = None
    bad: Any = None
    target: float | str | None = None
    window: str = "28d"
    start: str | None = None
    timezone: str = "UTC"
    filter: str | None = None
    sampling: float | str | None = None
    judge: dict[str, int] | None = None
    budgeting: str = "occurrences"
    timeslice_target: float | str | None = None
    timeslice_window: str | None = None
    alerts: list[SloAlert] = []
    parts: dict[str, float] = {}
    exclude: list[SloExclusion] = []
    description: str = ""

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ValueError("an slo has a name")
        if self.judge is not None and set(self.judge) != set(JUDGE):
            raise ValueError(f"slo {self.name!r}: a judge has {', '.join(JUDGE)}")


class BudgetPolicy(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What follows from shares of an error budget that are spent; see the template."""

    note: float | str = 0.5
    restrict: float | str = 0.75
    freeze: float | str = 1.0
    incident: float | str = 0.2
    owner: str = ""
    escalate: str = ""
    review: str = ""

    def __post_init__(self) -> None:
        note, restrict, freeze = self.levels.values()
        if not note < restrict < freeze:
            raise ValueError("of a budget policy, note is below restrict and that below freeze")
        self.asks  # noqa: B018

    @property
    def levels(self) -> dict[str, float]:
        """note, restrict and freeze as shares of a budget."""
        return {name: _spent(name, getattr(self, name)) for name in ("note", "restrict", "freeze")}

    @property
    def asks(self) -> float:
        """The share of a budget that one incident may spend without a postmortem."""
        return _spent("incident", self.incident)


def _spent(name: str, given: float | str) -> float:
    """A share of a budget: 0.75 or "75 %"; it may be over 1."""
    found = (
        re.fullmatch(r"(\d{1,4}(?:\.\d{1,6})?) ?%", given.strip()) if isinstance(given, str) else 0
    )
    value = float(found[1]) / 100 if found else given
    if isinstance(value, str) or not 0 < value <= 100:
        raise ValueError(f'{name} is a share of a budget such as 0.75 or "75 %", not {given!r}')
    return float(value)


class Canaries(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Planted tokens: name of a tenant or a prompt -> its token."""

    tenants: dict[str, str] = {}
    prompts: dict[str, str] = {}


class Detector(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What the detector of an attack gets right, and on how many labelled answers of each kind."""

    sensitivity: float
    specificity: float
    positives: float = 1e6
    negatives: float = 1e6

    def __post_init__(self) -> None:
        if not (0 <= self.sensitivity <= 1 and 0 <= self.specificity <= 1):
            raise ValueError("sensitivity and specificity are shares between 0 and 1")
        if min(self.positives, self.negatives) < 1:
            raise ValueError("positives and negatives are numbers of labelled answers, 1 or more")


class Guard(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a security review holds traffic and attacks against; see the template."""

    canaries: Canaries = Canaries()
    allowed_tools: list[str] | None = None
    allowed_models: list[str] | None = None
    max_attack_rate: float | None = None
    prevalence: float = 0.001
    detectors: dict[str, Detector] = {}

    def __post_init__(self) -> None:
        if self.max_attack_rate is not None and not 0 < self.max_attack_rate < 1:
            raise ValueError(f"max_attack_rate is a share above 0, not {self.max_attack_rate:g}")
        if not 0 < self.prevalence < 1:
            raise ValueError(f"prevalence is a share between 0 and 1, not {self.prevalence:g}")


class Documents(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The documents of retrieval experiments, and questions about them."""

    corpus: str = ""
    questions: str = ""


class TableStore(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Where the tables are; None: in the lab's folder."""

    uri: str | None = None

    def __post_init__(self) -> None:
        if self.uri is not None and not ADDRESS.fullmatch(self.uri):
            raise ValueError(
                f'a store is an address such as "s3://bucket/labs/answers" (letters, digits, . - _ '
                f"between the slashes, no credentials), not {self.uri[:100]!r}"
            )


class Redact(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Whether secrets and personal data are replaced; None: where the lab holds traffic."""

    on: bool | None = None


class Settings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What ``lab.toml`` may say."""

    columns: dict[str, Any] = {}
    directions: dict[str, str] = {}
    prices: dict[str, Price] = {}
    gate: Gate = Gate()
    reports: list[ReportRule] = []
    slo: list[Slo] = []
    budget_policy: BudgetPolicy | None = None
    retrieval: Documents = Documents()
    store: TableStore = TableStore()
    traffic: Traffic = Traffic()
    guard: Guard = Guard()
    redact: Redact = Redact()

    def __post_init__(self) -> None:
        for what, rules in (("reports", self.reports), ("slos", self.slo)):
            names = [rule.name for rule in rules]
            if twice := {name for name in names if names.count(name) > 1}:
                raise ValueError(f"two {what} are called {twice.pop()!r}")
        for metric, direction in self.directions.items():
            _check_direction(metric, direction)


def _check_direction(name: str, direction: str) -> None:
    if direction not in ("higher", "lower"):
        raise ValueError(f'{name} is "higher" or "lower", not "{direction}"')


def _plain(value: Any) -> str | float:
    return value.isoformat() if isinstance(value, date | time) else float(value)


def read_settings(path: Path, without: str = "", only: str = "") -> Settings:
    """The settings in `path`, but for one key or of one; the defaults where there is no such file.

    Raises
    ------
    BadSettings
        Not TOML, an unknown key, or a value of another type; the message names the place.
    """
    if not path.exists():
        return Settings()
    if not path.is_file():
        raise BadSettings(f"{path} is no file; write the settings there, or remove it")
    try:
        return settings_of(path.read_text("utf-8-sig"), path.name, without, only)
    except UnicodeDecodeError as error:
        raise BadSettings(f"{path.name} is not valid TOML: {error}") from None


def settings_of(
    given: str | dict[str, Any], name: str = "the settings", without: str = "", only: str = ""
) -> Settings:
    """Settings out of TOML text, or out of plain data with the same keys."""
    try:
        # through JSON, so that TOML's dates are texts, and NumPy's numbers in a dict plain ones
        plain = tomllib.loads(given) if isinstance(given, str) else given
        plain = {key: plain[key] for key in plain if key != without and only in ("", key)}
        found = json.loads(json.dumps(plain, default=_plain))
        return msgspec.convert(found, Settings)
    except msgspec.ValidationError as error:
        raise BadSettings(f"{name}: {_with_nearest(str(error))}") from None
    except (RecursionError, TypeError, ValueError) as error:
        raise BadSettings(f"{name} is not valid TOML: {error}") from None


SECTIONS: dict[str, type[msgspec.Struct]] = {
    "prices": Price, "gate": Gate, "gate.metrics": MetricRule, "reports": ReportRule, "slo": Slo,
    "slo.alerts": SloAlert, "slo.exclude": SloExclusion, "budget_policy": BudgetPolicy,
    "traffic": Traffic, "guard": Guard, "guard.canaries": Canaries, "guard.detectors": Detector,
    "retrieval": Documents, "redact": Redact, "store": TableStore,
}  # fmt: skip
"""Whose keys are whose, for "did you mean"."""


def _with_nearest(message: str) -> str:
    if unknown := re.search(r"unknown field `([^`]*)`(?: - at `\$\.?([^`]*))?", message):
        section = SECTIONS.get(re.sub(r"\[[^]]*\]", "", unknown[2] or ""), Settings)
        if near := difflib.get_close_matches(unknown[1], section.__struct_fields__, 1):
            return f"{message}; did you mean {near[0]!r}?"
    return message
