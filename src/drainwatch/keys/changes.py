"""What has changed of a key since it was last looked at: it precedes a drain by seconds to weeks. Pure."""

from __future__ import annotations

from drainwatch.keys.facts import Facts, Other
from drainwatch.report import words

_RIGHTS = {
    "read": "read",
    "trade": "trade",
    "margin": "trade on margin",
    "derivatives": "trade derivatives",
    "transfer": "move coins to other accounts",
    "withdraw": "withdraw",
    "manage": "change keys or addresses",
}


def changes(before: Facts, now: Facts) -> list[str]:
    """Say what changed, each in a clause; what isn't told now, or wasn't before, is no change.

    A key of ours that was replaced isn't compared, but the set of the account's keys is.
    """
    said: list[str] = []
    if before.mark == now.mark:
        said += _rights(before, now) + _addresses(before, now) + _markets(before, now) + _end(before, now)
    return said + _keys(before, now)


def merged(before: Facts | None, now: Facts) -> Facts:
    """Give what to remember: as told now, and of what isn't, as told before."""
    if before is None:
        return now
    kept = {}
    for field in Facts.__struct_fields__:
        value = getattr(now, field)
        untold = value is None or (value == () and field in {"granted", "addresses"})
        same_key = before.mark == now.mark
        kept[field] = getattr(before, field) if untold and (same_key or field == "others") else value
    if now.bound is not None:
        kept["addresses"] = now.addresses
    return Facts(**kept)


def _rights(before: Facts, now: Facts) -> list[str]:
    got, lost = [], []
    for field, way in _RIGHTS.items():
        was, may = getattr(before, field), getattr(now, field)
        if was is False and may:
            got.append(way)
        elif was and may is False:
            lost.append(way)
    said = []
    if got:
        said.append(f"the key can now {words.listing(got, 9)}")
    if lost:
        said.append(f"the key can no longer {words.listing(lost, 9)}")
    if not said and before.granted and now.granted and before.granted != now.granted:
        more, fewer = set(now.granted) - set(before.granted), set(before.granted) - set(now.granted)
        parts = [
            f"{verb} {words.listing(sorted(found))}"
            for verb, found in (("got", more), ("lost", fewer))
            if found
        ]
        said.append(f"the key {' and '.join(parts)} of its exchange's permissions")
    if before.works is not None and now.works is not None and before.works != now.works:
        said.append(
            "the key was switched on" if now.works else "the key was switched off, frozen, or it expired"
        )
    return said


def _addresses(before: Facts, now: Facts) -> list[str]:
    if before.bound and now.bound is False:
        return ["the key works from everywhere now: its list of addresses was taken away"]
    if before.bound is False and now.bound:
        return ["the key was bound to a list of addresses"]
    if not (before.bound and now.bound and before.addresses and now.addresses):
        return []
    more, fewer = set(now.addresses) - set(before.addresses), set(before.addresses) - set(now.addresses)
    parts = [
        f"{verb} {words.listing(sorted(found))}" for verb, found in (("got", more), ("lost", fewer)) if found
    ]
    return [f"the key's list of addresses {' and '.join(parts)}"] if parts else []


def _markets(before: Facts, now: Facts) -> list[str]:
    if before.markets is None or now.markets is None or before.markets == now.markets:
        return []
    if not now.markets:
        return ["the key may trade all markets now: its list was taken away"]
    more, fewer = set(now.markets) - set(before.markets), set(before.markets) - set(now.markets)
    if not before.markets:
        return [f"the key may trade {words.listing(sorted(now.markets))} only now"]
    parts = [
        f"{verb} {words.listing(sorted(found))}" for verb, found in (("got", more), ("lost", fewer)) if found
    ]
    return [f"the key's list of markets {' and '.join(parts)}"]


def _end(before: Facts, now: Facts) -> list[str]:
    if before.ends and now.ends is False:
        return ["the key doesn't end any more"]
    return []


def _keys(before: Facts, now: Facts) -> list[str]:
    if before.others is None or now.others is None:
        return []
    known, there = {o.mark: o for o in before.others}, {o.mark: o for o in now.others}
    new = [other for mark, other in there.items() if mark not in known]
    gone = [other for mark, other in known.items() if mark not in there]
    said = []
    if new:
        said.append(
            f"{words.plural(len(new), 'new key')} in the account: {words.listing(map(_name, new), 5)}"
        )
    if gone:
        said.append(
            f"{words.plural(len(gone), 'key')} gone from the account: {words.listing(map(_name, gone), 5)}"
        )
    woken = [
        other for mark, other in there.items() if mark in known and known[mark].works is False and other.works
    ]
    if woken:
        said.append(f"switched on again: {words.listing(map(_name, woken), 5)}")
    return said


def _name(other: Other) -> str:
    name = words.clean(other.name, 40).strip() or "without a name"
    made = f", made {words.moment(other.created_ns / 1e6)}" if other.created_ns is not None else ""
    return f"{name}{made}"
