"""Webhooks: whole, versioned, signed, and known again when they come twice."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from alert_fakes import NOW_NS, WEBHOOK, notice, opened
from drainwatch.alerts.layouts import request_of
from drainwatch.alerts.layouts.webhook import KEY, SIGNATURE, signature_of
from drainwatch.alerts.message import VERSION
from report_fakes import incident

HOWTO = Path(__file__).resolve().parents[1] / "docs" / "howto-alerts.md"


def test_the_whole_incident_comes_with_the_words() -> None:
    made = json.loads(request_of(WEBHOOK, opened()).body)
    assert made["version"] == VERSION
    assert made["incident"] == incident()
    assert (made["what"], made["text"]) == ("opened", opened().text)
    assert made["fills"][3]["loss"] == pytest.approx(0.6)


def test_a_notice_comes_as_data_too() -> None:
    made = json.loads(request_of(WEBHOOK, notice()).body)
    assert made["what"] == "notice"
    assert made["notice"]["kind"] == "key_refused"
    assert made["incident"] is None


def test_the_same_news_has_the_same_key_however_often_it_is_sent() -> None:
    first, second = (request_of(WEBHOOK, opened(), "a1/opened/1", NOW_NS + n) for n in (0, 10**12))
    assert first.headers[KEY] == second.headers[KEY] == "a1/opened/1"
    assert first.headers[SIGNATURE] != second.headers[SIGNATURE], "each try is signed at its time"
    assert request_of(WEBHOOK, opened(), "a\nb/ü").headers[KEY] == "a%0Ab/%C3%BC"
    assert KEY not in request_of(WEBHOOK, opened()).headers


def test_the_signature_is_of_time_and_body() -> None:
    request = request_of(WEBHOOK, opened(), "k", NOW_NS)
    at, digest = re.fullmatch(r"t=(\d+),v1=([0-9a-f]{64})", request.headers[SIGNATURE]).groups()  # type: ignore[union-attr]
    assert int(at) == NOW_NS // 10**9
    signed = f"{at}.".encode() + request.body
    assert digest == hmac.new(b"whsec_hunter2", signed, hashlib.sha256).hexdigest()


def test_without_a_secret_nothing_is_signed() -> None:
    assert SIGNATURE not in request_of(replace(WEBHOOK, signing=""), opened()).headers


def test_the_document_tells_how_to_verify_it() -> None:
    """Whoever copies it must get what refuses forgeries and repetitions, and nothing else."""
    (snippet,) = re.findall(
        r"```python\n(import hashlib.*?)```", HOWTO.read_text(encoding="utf-8"), re.DOTALL
    )
    names: dict[str, object] = {}
    exec(snippet, names)  # noqa: S102 ours, and the only way to run what is written
    is_from_drainwatch = names["is_from_drainwatch"]
    assert callable(is_from_drainwatch)
    body = request_of(WEBHOOK, opened()).body
    now_s = int(time.time())
    header = signature_of("whsec", now_s, body)
    assert is_from_drainwatch(body, header, "whsec")
    assert not is_from_drainwatch(body + b" ", header, "whsec")
    assert not is_from_drainwatch(body, header, "other")
    assert not is_from_drainwatch(body, header.replace("t=1", "t=2"), "whsec")
    assert not is_from_drainwatch(body, signature_of("whsec", now_s - 3_600, body), "whsec")
