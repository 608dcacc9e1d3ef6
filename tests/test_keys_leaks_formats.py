"""JSON and SARIF: complete, of the published form, and without secrets."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import leaky
from drainwatch.keys.leaks.formats import as_json, as_sarif
from drainwatch.keys.leaks.scan import Scan, scan

TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}}
SARIF: dict[str, Any] = {
    "type": "object",
    "required": ["version", "runs"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["tool"],
                "additionalProperties": False,
                "properties": {
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "additionalProperties": False,
                        "properties": {
                            "driver": {
                                "type": "object",
                                "required": ["name"],
                                "additionalProperties": False,
                                "properties": {
                                    "name": {"type": "string"},
                                    "semanticVersion": {"type": "string"},
                                    "rules": {
                                        "type": "array",
                                        "uniqueItems": True,
                                        "items": {
                                            "type": "object",
                                            "required": ["id"],
                                            "additionalProperties": False,
                                            "properties": {
                                                "id": {"type": "string"},
                                                "name": {"type": "string"},
                                                "shortDescription": TEXT,
                                                "help": TEXT,
                                                "defaultConfiguration": {
                                                    "properties": {
                                                        "level": {
                                                            "enum": ["none", "note", "warning", "error"]
                                                        }
                                                    }
                                                },
                                                "properties": {"type": "object"},
                                            },
                                        },
                                    },
                                },
                            }
                        },
                    },
                    "invocations": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["executionSuccessful"],
                            "additionalProperties": False,
                            "properties": {
                                "executionSuccessful": {"type": "boolean"},
                                "toolExecutionNotifications": {
                                    "type": "array",
                                    "items": {"type": "object", "required": ["message"]},
                                },
                            },
                        },
                    },
                    "results": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["message"],
                            "additionalProperties": False,
                            "properties": {
                                "ruleId": {"type": "string"},
                                "ruleIndex": {"type": "integer", "minimum": -1},
                                "level": {"enum": ["none", "note", "warning", "error"]},
                                "message": TEXT,
                                "locations": {
                                    "type": "array",
                                    "items": {
                                        "type": "object",
                                        "additionalProperties": False,
                                        "properties": {
                                            "message": TEXT,
                                            "physicalLocation": {
                                                "required": ["artifactLocation"],
                                                "additionalProperties": False,
                                                "properties": {
                                                    "artifactLocation": {
                                                        "properties": {
                                                            "uri": {"type": "string", "pattern": "^[!-~]+$"}
                                                        }
                                                    },
                                                    "region": {
                                                        "properties": {
                                                            "startLine": {"type": "integer", "minimum": 1}
                                                        }
                                                    },
                                                },
                                            },
                                        },
                                    },
                                },
                                "partialFingerprints": {
                                    "type": "object",
                                    "additionalProperties": {"type": "string"},
                                },
                                "properties": {"type": "object"},
                            },
                        },
                    },
                },
            },
        },
    },
}
"""What the published schema of SARIF 2.1.0 demands of the parts that are written here."""


@pytest.fixture(scope="module")
def made() -> leaky.Repo:
    made = leaky.Repo("bot", random.Random(1))
    for template in (leaky.dotenv, leaky.notebook_output, leaky.webhooks, leaky.cdp_key, leaky.wallet):
        template(made)
    made.write("a folder/clé.env", f"BINANCE_SECRET={made.leak(made.draw(64))}\n")
    return made


@pytest.fixture(scope="module")
def outcome(made: leaky.Repo, tmp_path_factory: pytest.TempPathFactory) -> Scan:
    top = leaky.commit_and_remove(made, tmp_path_factory.mktemp("made"))
    (top / "a folder").mkdir()
    (top / "a folder" / "clé.env").write_text(made.files["a folder/clé.env"])
    (top / "x.png").write_bytes(b"\0\1\2")
    return scan(top)


def test_sarif_has_the_published_form(outcome: Scan) -> None:
    log = as_sarif(outcome, outcome.findings, version="1.2.3")
    jsonschema.validate(log, SARIF)
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(run["results"]) == len(outcome.findings) >= 9
    for result, finding in zip(run["results"], outcome.findings, strict=True):
        assert rules[result["ruleIndex"]] == result["ruleId"] == finding.rule
        assert result["partialFingerprints"] == {"drainwatch/v1": finding.fingerprint}
    said = [notice["message"]["text"] for notice in run["invocations"][0]["toolExecutionNotifications"]]
    assert said == ["1 skipped: not text"]


def test_sarif_without_findings_is_whole(tmp_path: Path) -> None:
    log = as_sarif(scan(tmp_path), (), version="1.2.3")
    jsonschema.validate(log, SARIF)
    assert log["runs"][0]["results"] == []


def test_json_tells_all_that_was_looked_at(outcome: Scan) -> None:
    told = as_json(outcome, outcome.findings, known=3)
    assert told["complete"] is True
    assert told["known"] == 3
    assert told["looked_at"]["files"] == outcome.tally.files == 2
    assert told["looked_at"]["repositories"] == 1
    assert told["skipped"] == [{"reason": "not text", "count": 1, "examples": ["x.png"]}]
    only = {finding["path"] for finding in told["findings"] if finding["only_in_history"]}
    assert ".env" in only
    assert "a folder/clé.env" not in only
    assert {type(finding["commit_time"]) for finding in told["findings"]} == {int}


def test_neither_holds_a_secret(made: leaky.Repo, outcome: Scan) -> None:
    for told in (
        as_json(outcome, outcome.findings, known=0),
        as_sarif(outcome, outcome.findings, version="1"),
    ):
        text = json.dumps(told, ensure_ascii=False)
        for _, secret in [*made.planted, *made.neutral]:
            assert secret not in text
            assert secret.rpartition("/")[2][:8] not in text
