"""Leaks in one text: exchange keys by evidence, and what is told by its own form (tokens, webhooks, PEM)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from drainwatch.keys.leaks.evidence import (
    REACH,
    VENUE_NEAR,
    Candidate,
    Page,
    candidates_in,
    judge,
    pair,
    place,
)
from drainwatch.keys.leaks.names import PASSPHRASES, Role, label_before, role_of, words_of
from drainwatch.keys.leaks.randomness import entropy_bits, looks_random
from drainwatch.keys.leaks.shapes import Part

ALLOW = re.compile(r"drainwatch:allow|gitleaks:allow|pragma: ?allowlist secret", re.IGNORECASE)
"""Marks that say, on the line of a string: this one is meant to be here."""

_TELEGRAM = re.compile(
    r":([A-Za-z0-9_-]{35})(?![A-Za-z0-9_-])"
)  # what is before the colon is looked at by hand
_WEBHOOK = re.compile(
    r"https://(?:hooks\.slack\.com/services/T[A-Z0-9]{8,12}/B[A-Z0-9]{8,12}/([A-Za-z0-9]{20,32})"
    r"|(?:ptb\.|canary\.)?discord(?:app)?\.com/api/(?:v\d+/)?webhooks/\d{17,20}/([A-Za-z0-9_-]{60,80}))"
)
_PEM = re.compile(
    r"-----BEGIN (?:EC |RSA )?PRIVATE KEY-----((?:\s|\\[nr]|[\"'`+,]){1,8}[A-Za-z0-9+/=\\\s\"'`,]{40,8000}?)"
    r"-----END (?:EC |RSA )?PRIVATE KEY-----"
)
_CDP_NAME = re.compile(
    r"organizations/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/apiKeys/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
)
_PASSPHRASE = re.compile(
    r"(?i)(pass(?:phrase|word)?|memo)[\"'`\]]*\s*[:=]+>?\s*[\"'`]?([^\s\"'`,;{}$<>]{6,64})"
)
_LINES_TO_PASSPHRASE = 5
_WITH_PASSPHRASE = frozenset({"okx", "kucoin", "bitget", "coinbase"})


@dataclass(frozen=True, slots=True)
class Leak:
    """A key in a text. `secret` never leaves the scan: what is shown or written is redacted."""

    rule: str
    venue: str
    part: Part
    secret: str
    line: int
    because: tuple[str, ...]
    sure: bool
    allowed: bool = False

    def __repr__(self) -> str:
        """Say what it is without the secret: a traceback or a log must not hold it."""
        return f"Leak(rule={self.rule!r}, line={self.line}, shown={redacted(self.secret)!r})"


def redacted(secret: str) -> str:
    """Show a secret's first four characters and its length, and nothing of a webhook but its host.

    Examples
    --------
    >>> redacted("mx0vAbCdEfGhIjKlMn")
    'mx0v… (18 characters)'
    """
    if secret.startswith("https://"):
        return f"{secret.split('/')[2]}/…"
    if secret.startswith("-----BEGIN"):
        return "PEM block"
    return f"{secret[:4]}… ({len(secret)} characters)"


def leaks_in(text: str, path: str) -> list[Leak]:
    """Find the leaks in a text.

    Parameters
    ----------
    text
        A whole file, a cell of a notebook, a blob.
    path
        Where it is from: a venue's name in it counts as a mention.

    Returns
    -------
    list of Leak
        In order of lines. Those on a line with an allow mark have `allowed` set.
    """
    page = Page(text, path)
    candidates = list(candidates_in(page))
    for candidate in candidates:
        place(candidate, page)
    pair(candidates, page)
    kept = list(judge(candidates))
    leaks = [_leak(c, page) for c in kept if not _is_inside_form(c, page)]
    leaks.extend(_by_form(page))
    return sorted(leaks, key=lambda leak: (leak.line, leak.rule))


def _leak(candidate: Candidate, page: Page) -> Leak:
    """Make a leak of a candidate that was kept."""
    shape = candidate.fitting
    part = {
        Role.KEY: Part.KEY,
        Role.SECRET: Part.SECRET,
        Role.PRIVATE_KEY: Part.PRIVATE_KEY,
    }.get(candidate.role, shape.part if shape else Part.KEY)
    if shape is not None and shape.part is Part.PRIVATE_KEY and part is Part.PRIVATE_KEY:
        venue, rule = candidate.venue or "ethereum", "ethereum-private-key"
    else:
        venue = candidate.venue or (shape.venue if shape and shape.telling else "exchange")
        rule = f"{venue}-{part.value}"
    because = list(candidate.because)
    if venue in _WITH_PASSPHRASE and _passphrase_near(page, candidate):
        because.append("its passphrase stands near")
    sure = candidate.weight >= 4.5
    return Leak(
        rule,
        venue,
        part,
        candidate.token,
        candidate.line,
        tuple(because),
        sure,
        _allowed(page, candidate.start),
    )


def _by_form(page: Page) -> Iterator[Leak]:
    """Find what its own form tells: bot tokens, webhooks, names of CDP keys, PEM blocks beside a venue."""
    text = page.text
    if "hooks.slack" in text or "/webhooks/" in text:
        for found in _WEBHOOK.finditer(text):
            slack = found.group(1) is not None
            if looks_random(found.group(1) or found.group(2)):
                rule = "slack-webhook" if slack else "discord-webhook"
                because = "whoever has it can write in your name, and drown an alert"
                yield _formed(page, found.start(), rule, Part.WEBHOOK, found.group(), because)
    for found in _TELEGRAM.finditer(text):
        number = re.search(r"(?<![0-9:])\d{8,10}$", text[max(0, found.start() - 12) : found.start()])
        if number and looks_random(found.group(1)):
            start = found.start() - len(number.group())
            because = "whoever has it reads and writes as your bot; some bots take orders there"
            yield _formed(page, start, "telegram-bot-token", Part.TOKEN, text[start : found.end()], because)
    for found in _CDP_NAME.finditer(text) if "organizations/" in text else ():
        if looks_random(found.group(1)):
            yield _formed(
                page, found.start(), "coinbase-api-key", Part.KEY, found.group(), "name of a CDP key"
            )
    if "PRIVATE KEY-----" in text:
        yield from _pem(page)


def _pem(page: Page) -> Iterator[Leak]:
    """Find private keys in PEM beside a venue: Coinbase's EC keys, Binance's and others' RSA and Ed25519."""
    for found in _PEM.finditer(page.text):
        body = re.sub(r"\\[nr]|[^A-Za-z0-9+/=]", "", found.group(1))
        stand_in = Candidate(
            body, found.start(), page.line_of(found.start()), label_before(""), Role.PRIVATE_KEY, False, ()
        )
        place(stand_in, page)
        if len(body) < 48 or entropy_bits(body) < 4.2 or stand_in.closeness == 0:
            continue
        near = stand_in.closeness >= VENUE_NEAR
        because = f"{stand_in.venue} is named {'near it' if near else 'in the file'}"
        rule = f"{stand_in.venue}-private-key"
        yield _formed(page, found.start(), rule, Part.PRIVATE_KEY, found.group(), because, sure=near)


def _formed(
    page: Page, start: int, rule: str, part: Part, secret: str, because: str, *, sure: bool = True
) -> Leak:
    """Make a leak of something told by its form."""
    venue = rule.partition("-")[0]
    return Leak(rule, venue, part, secret, page.line_of(start), (because,), sure, _allowed(page, start))


def _is_inside_form(candidate: Candidate, page: Page) -> bool:
    """Tell whether a string is a piece of what is found by form, and would be told twice."""
    before = page.text[max(0, candidate.start - 60) : candidate.start]
    return bool(re.search(r"\d{8,10}:$|webhooks/\d+/$|services/[\w/]*$|organizations/$", before)) or (
        candidate.token.startswith("organizations/")
    )


def _allowed(page: Page, start: int) -> bool:
    """Tell whether a mark on the line allows what stands there."""
    first, last = page.span_of(page.line_of(start))
    return bool(ALLOW.search(page.text, max(first, start - 500), min(last, start + 1_000)))


def _passphrase_near(page: Page, candidate: Candidate) -> bool:
    """Tell whether something that could be a real passphrase stands a few lines away."""
    line = candidate.line
    first = max(page.span_of(max(1, line - _LINES_TO_PASSPHRASE))[0], candidate.start - REACH)
    last = min(page.span_of(line + _LINES_TO_PASSPHRASE)[1], candidate.start + REACH)
    for found in _PASSPHRASE.finditer(page.text, first, last):
        words = set(words_of(found.group(2)))
        if not words & (PASSPHRASES | {"your", "example", "none", "null", "env", "environ", "getenv"}):
            return role_of(found.group(2)) is not Role.OTHER
    return False
