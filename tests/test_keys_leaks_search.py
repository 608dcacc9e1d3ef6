"""Leaks in a text: the whole corpus, what is told by its form, and that no secret gets out."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import leaky
from drainwatch.keys.leaks.search import leaks_in, redacted


def found_and_false(repos: list[leaky.Repo]) -> tuple[int, int, int]:
    """Count lines with keys, how many of them are found, and lines reported without."""
    wanted = found = false = 0
    for repo in repos:
        keys, others = repo.lines()
        told = {(path, leak.line) for path, text in repo.files.items() for leak in leaks_in(text, path)}
        wanted += len(keys)
        found += len(told & keys)
        false += len(told - keys - others)
    return wanted, found, false


@pytest.mark.parametrize(
    "template", [*leaky.TUNING, *leaky.REPORTING], ids=lambda template: template.__name__
)
def test_the_corpus(template: leaky.Template) -> None:
    """Nothing is reported that isn't a key, and hardly any key stays unseen."""
    wanted, found, false = found_and_false(leaky.repositories([template], range(1_000, 1_003)))
    assert false == 0
    assert found >= 0.8 * wanted


def test_the_corpus_has_something_to_find_and_something_to_leave() -> None:
    """A corpus without keys would pass for any scanner."""
    for half in (leaky.TUNING, leaky.REPORTING):
        repos = leaky.repositories(half, [1])
        assert sum(bool(repo.planted) for repo in repos) >= 20
        assert sum(not repo.planted for repo in repos) >= 15
    assert not set(leaky.TUNING) & set(leaky.REPORTING)


def pem(r: leaky.Repo) -> str:
    body = "\n".join(r.b64(48) for _ in range(3))
    return f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"


def test_a_private_key_counts_beside_a_venue() -> None:
    """Binance takes Ed25519 and RSA: what signs is then a PEM file. Else it is somebody's server."""
    block = pem(leaky.Repo("x", random.Random(1)))
    assert [leak.rule for leak in leaks_in(f"# binance\n{block}", "a.txt")] == ["binance-private-key"]
    assert [leak.rule for leak in leaks_in(block, "keys/binance.pem")] == ["binance-private-key"]
    assert leaks_in(block, "keys/server.pem") == []


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("bot123456789:{tail}", ["telegram-bot-token"]),
        ("1234567:{tail}", []),
        ("https://discord.com/api/webhooks/123456789012345678/{hook}", ["discord-webhook"]),
        ("https://discord.com/api/webhooks/123456789012345678/your-token", []),
        ("https://hooks.slack.com/services/T0AB12CD3/B0AB12CD3/{slack}", ["slack-webhook"]),
        ("https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX", []),
    ],
)
def test_tokens_and_webhooks(text: str, rules: list[str]) -> None:
    r = leaky.Repo("x", random.Random(2))
    filled = text.format(tail="AA" + r.draw(33), hook=r.draw(68), slack=r.draw(24))
    assert [leak.rule for leak in leaks_in(filled, "notes.txt")] == rules


@pytest.mark.parametrize("mark", ["# drainwatch:allow", "// gitleaks:allow", "# pragma: allowlist secret"])
def test_a_mark_on_the_line_allows_it(mark: str) -> None:
    key = leaky.Repo("x", random.Random(3)).draw(64)
    (leak,) = leaks_in(f"BINANCE_KEY='{key}'  {mark}\n", "a.py")
    assert leak.allowed
    (other,) = leaks_in(f"{mark}\nBINANCE_KEY='{key}'\n", "a.py")
    assert not other.allowed, "the mark is for its own line"


@pytest.mark.parametrize(("phrase", "told"), [("Tr0ub4dor&3x", True), ("your_passphrase", False)])
def test_a_passphrase_beside_is_told(phrase: str, told: bool) -> None:
    r = leaky.Repo("x", random.Random(4))
    key, secret = leaky.FORMS["okx"](r)
    leaks = leaks_in(f"OKX_KEY={key}\nOKX_SECRET={secret}\nOKX_PASSPHRASE={phrase}\n", ".env")
    assert len(leaks) == 2
    for leak in leaks:
        assert ("its passphrase stands near" in leak.because) is told
        assert phrase not in repr(leak) + str(leak.because)


def test_what_is_shown_is_four_characters() -> None:
    secret = leaky.Repo("x", random.Random(5)).draw(64)
    (leak,) = leaks_in(f"BINANCE_SECRET={secret}", ".env")
    assert redacted(secret) == f"{secret[:4]}… (64 characters)"
    assert secret[:5] not in repr(leak)
    assert redacted("https://discord.com/api/webhooks/1/abc") == "discord.com/…"
    assert redacted("-----BEGIN EC PRIVATE KEY-----\nabc") == "PEM block"


@given(st.text(max_size=2_000), st.text(max_size=30))
def test_any_text_gets_an_answer(text: str, path: str) -> None:
    for leak in leaks_in(text, path):
        assert 1 <= leak.line <= text.count("\n") + 1
