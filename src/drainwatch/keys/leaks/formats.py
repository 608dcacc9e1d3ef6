"""A scan for programs: JSON of our own, and SARIF 2.1.0 for code hosts and editors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from drainwatch.keys.leaks.scan import Finding, Scan

SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

WHAT_TO_DO = (
    "Revoke it at the exchange now, then make a new one: whoever could read this file may have it. Deleting "
    "the line isn't enough, for git and backups keep it."
)


def as_json(scan: Scan, findings: Sequence[Finding], *, known: int) -> dict[str, Any]:
    """Return a scan as plain data: findings, and what was and wasn't looked at.

    Parameters
    ----------
    scan
        The scan.
    findings
        Those to tell: the new ones where there is a baseline.
    known
        How many the baseline knew.
    """
    tally = scan.tally
    return {
        "version": 1,
        "complete": tally.complete,
        "findings": [
            {
                "rule": f.rule, "venue": f.venue, "part": f.part,
                "path": f.path, "line": f.line, "place": f.place,
                "redacted": f.redacted, "because": list(f.because), "sure": f.sure,
                "fingerprint": f.fingerprint,
                "commit": f.commit or None, "commit_time": f.commit_time_s * 1_000 if f.commit else None,
                "only_in_history": f.only_in_history,
            }
            for f in findings
        ],
        "known": known,
        "allowed": tally.allowed,
        "looked_at": {
            "files": tally.files, "versions": tally.blobs, "messages": tally.messages,
            "repositories": tally.repositories, "bytes": tally.size, "seconds": round(scan.seconds, 3),
        },
        "skipped": [
            {"reason": str(why), "count": count, "examples": tally.examples[why]}
            for why, count in sorted(tally.skipped.items())
        ],
        "notes": list(tally.notes),
    }  # fmt: skip


def as_sarif(scan: Scan, findings: Sequence[Finding], *, version: str) -> dict[str, Any]:
    """Return findings as a SARIF 2.1.0 log with one run.

    Results carry the fingerprint under `drainwatch/v1`, so that a code host knows one again when its
    line has moved.
    """
    rules = sorted({finding.rule for finding in findings})
    return {
        "$schema": SARIF_SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "drainwatch",
                        "semanticVersion": version,
                        "rules": [_rule(rule) for rule in rules],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "invocations": [
                    {
                        "executionSuccessful": scan.tally.complete,
                        "toolExecutionNotifications": [
                            {"level": "note", "message": {"text": text}} for text in _notices(scan)
                        ],
                    }
                ],
                "results": [_result(finding, rules.index(finding.rule)) for finding in findings],
            }
        ],
    }


def _rule(rule: str) -> dict[str, Any]:
    """Describe a rule."""
    what = rule.replace("-", " ")
    return {
        "id": rule,
        "name": "".join(word.title() for word in rule.split("-")),
        "shortDescription": {"text": f"A {what} is kept in a text."},
        "help": {"text": WHAT_TO_DO},
        "defaultConfiguration": {"level": "error"},
        "properties": {"tags": ["security"], "security-severity": "9.0"},
    }


def _result(finding: Finding, rule_index: int) -> dict[str, Any]:
    """Describe a finding."""
    location: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": {"uri": quote(finding.path)},
            "region": {"startLine": finding.line},
        }
    }
    if finding.place:
        location["message"] = {"text": finding.place}
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": rule_index,
        "level": "error" if finding.sure else "warning",
        "message": {"text": f"{_said(finding)} {WHAT_TO_DO}"},
        "locations": [location],
        "partialFingerprints": {"drainwatch/v1": finding.fingerprint},
    }
    if finding.commit:
        result["properties"] = {"commit": finding.commit, "onlyInHistory": finding.only_in_history}
    return result


def _said(finding: Finding) -> str:
    """Say in a sentence what was found and why it counts."""
    where = " in git's history" if finding.only_in_history else ""
    return f"{finding.rule.replace('-', ' ')}{where}, {finding.redacted}: {', '.join(finding.because)}."


def _notices(scan: Scan) -> list[str]:
    """Say what wasn't looked at."""
    skipped = [f"{count} skipped: {why}" for why, count in sorted(scan.tally.skipped.items())]
    return skipped + scan.tally.notes + (["the time was up before the end"] if scan.tally.stopped else [])
