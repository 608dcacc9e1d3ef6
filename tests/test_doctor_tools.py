"""What a check is made of."""

from __future__ import annotations

import msgspec

from drainwatch.doctor.tools import Check, Status


def test_a_check_is_plain_json() -> None:
    check = Check("store", Status.WARN, "1 GB free", "Make room.")
    assert msgspec.to_builtins(check) == {
        "name": "store",
        "status": "warn",
        "found": "1 GB free",
        "advice": "Make room.",
    }
    assert msgspec.json.decode(msgspec.json.encode(check), type=Check) == check
