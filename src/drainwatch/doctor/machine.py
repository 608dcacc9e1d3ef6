"""Checks of this machine: settings, model, store, bots' databases, ports."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from drainwatch.config import Settings, store_url
from drainwatch.doctor.tools import Check, Status, Tools
from drainwatch.errors import DrainwatchError

LITTLE_SPACE_BYTES = 1_000_000_000
NO_SPACE_BYTES = 50_000_000


def check_settings_file(path: Path, settings: Settings) -> Check:
    """Look at who may change the settings: he could send the alerts elsewhere."""
    found = f"{path}: accounts {len(settings.accounts)}, channels {len(settings.channels)}"
    mode = path.stat().st_mode
    if os.name != "nt" and mode & 0o022:
        return Check(
            "settings",
            Status.WARN,
            f"{path} can be changed by others ({stat.filemode(mode)})",
            f"Run `chmod 600 {path}`: who changes it can silence the alerts.",
        )
    return Check("settings", Status.OK, found)


def check_judge(settings: Settings, tools: Tools) -> Check:
    """Look whether fills can be judged at all."""
    started = tools.clock_s()
    try:
        tools.load_judge(settings)
    except DrainwatchError as error:
        return Check("model", Status.FAIL, str(error), "Install drainwatch anew.")
    took = tools.clock_s() - started
    return Check("model", Status.OK, f"loaded, and its code compiled, in {took:.1f} s")


def check_store(settings: Settings, tools: Tools) -> Iterator[Check]:
    """Look whether fills can be kept, and for how long."""
    try:
        tools.open_store(store_url(settings.watch, tools.env))
    except DrainwatchError as error:
        yield Check(
            "store",
            Status.FAIL,
            str(error),
            "If a watch with these settings is running now, the store is its own, and well.",
        )
    else:
        yield Check("store", Status.OK, "opens")
    folders = []
    if settings.watch.store.startswith("sqlite:///"):
        folders.append(("disk of the store", Path(settings.watch.store.removeprefix("sqlite:///")).parent))
    if settings.watch.record:
        folders.append(("disk of the recording", Path(settings.watch.record)))
    for name, folder in folders:
        wanted = settings.watch.record_gb * 1e9 if "recording" in name else LITTLE_SPACE_BYTES
        yield _check_space(name, folder.expanduser(), wanted, tools)


def _check_space(name: str, folder: Path, wanted_bytes: float, tools: Tools) -> Check:
    """Look how much room is left."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent  # it is made when it is needed
    try:
        free = tools.free_bytes(folder)
    except OSError as error:
        return Check(name, Status.FAIL, f"{folder}: {error.strerror}", "Choose another place.")
    found = f"{free / 1e9:.1f} GB free in {folder}"
    if free < NO_SPACE_BYTES:
        return Check(name, Status.FAIL, found, "Make room: without it no fill can be kept.")
    if free < wanted_bytes:
        return Check(name, Status.WARN, f"{found}; {wanted_bytes / 1e9:g} GB are wanted", "Make room.")
    return Check(name, Status.OK, found)


def check_bots(settings: Settings) -> Iterator[Check]:
    """Look whether the bots' own logs can be read."""
    for bot in settings.bots:
        name = f"{bot.kind} database"
        path = Path(bot.database).expanduser()
        try:
            with path.open("rb") as file:
                is_sqlite = file.read(16) == b"SQLite format 3\x00"
        except OSError as error:
            advice = "Correct `database`, or let the user who runs drainwatch read it."
            yield Check(name, Status.FAIL, f"{path} can't be read: {error.strerror}", advice)
            continue
        if is_sqlite:
            yield Check(name, Status.OK, f"{path} can be read")
        else:
            yield Check(name, Status.FAIL, f"{path} isn't an SQLite database", "Correct `database`.")


def check_listeners(settings: Settings, tools: Tools) -> Iterator[Check]:
    """Look whether the ports are free."""
    listeners = (("inlet", settings.inlet), ("outlet", settings.outlet), ("health", settings.health))
    for name, listener in listeners:
        if not listener.enabled:
            continue
        where = f"{listener.host} port {listener.port}"
        try:
            tools.bind(listener.host, listener.port)
        except OSError as error:
            advice = "Choose another port, unless it is the running watch itself that has it."
            yield Check(f"{name}'s port", Status.WARN, f"{where}: {error.strerror or error}", advice)
        else:
            yield Check(f"{name}'s port", Status.OK, f"{where} is free")
