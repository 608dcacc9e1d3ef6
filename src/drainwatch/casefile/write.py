"""A case file on disk: a page to print, the same as data, and the hashes of both."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Final

import msgspec

from drainwatch.casefile.case import Case
from drainwatch.errors import InputError
from drainwatch.report.case_page import to_html

FILES: Final = ("evidence.json", "evidence.html", "SHA256SUMS")


def write_case(case: Case, out: Path) -> dict[str, str]:
    """Write `evidence.json`, `evidence.html` and `SHA256SUMS` into a folder, for the owner's eyes only.

    Returns
    -------
    The SHA-256 of each file.

    Raises
    ------
    InputError
        One of them is there already: evidence isn't overwritten. Or the folder can't be written to.
    """
    there = next((name for name in FILES if (out / name).exists()), None)
    if there is not None:
        raise InputError(
            f"expected no evidence in {out} yet, found {there}: what may have been handed out isn't "
            "overwritten; choose another --out"
        )
    data = msgspec.json.format(msgspec.json.encode(case), indent=1)
    page = to_html(msgspec.to_builtins(case), hashlib.sha256(data).hexdigest()).encode()
    sums = "".join(
        f"{hashlib.sha256(b).hexdigest()}  {n}\n" for n, b in zip(FILES, (data, page), strict=False)
    )
    contents = (data, page, sums.encode())
    try:
        out.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name, content in zip(FILES, contents, strict=True):
            _write(out / name, content)
    except OSError as error:
        raise InputError(f"can't write to {out}: {error.strerror or error}; choose another --out") from None
    return {name: hashlib.sha256(content).hexdigest() for name, content in zip(FILES, contents, strict=True)}


def _write(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
