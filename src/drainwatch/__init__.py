"""Watch an exchange account's own fills, and say at once when they look like a thief draining it.

The names below are the whole public face. Each is imported when it is first asked for, so that
`import drainwatch` costs nothing: pandas, scikit-learn and numba come with what needs them.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from drainwatch.engine import Engine
    from drainwatch.errors import ConfigError, DrainwatchError, InputError, ModelError, StateError
    from drainwatch.estimator import DrainDetector
    from drainwatch.frame import Incident, Replay, features, read_fills, replay
    from drainwatch.model import Model, load_model

    __version__: str

__all__ = [
    "ConfigError",
    "DrainDetector",
    "DrainwatchError",
    "Engine",
    "Incident",
    "InputError",
    "Model",
    "ModelError",
    "Replay",
    "StateError",
    "__version__",
    "features",
    "load_model",
    "read_fills",
    "replay",
]

_HOMES = {
    "ConfigError": "errors",
    "DrainDetector": "estimator",
    "DrainwatchError": "errors",
    "Engine": "engine",
    "Incident": "frame",
    "InputError": "errors",
    "Model": "model",
    "ModelError": "errors",
    "Replay": "frame",
    "StateError": "errors",
    "load_model": "model",
    "read_fills": "frame",
}
"""The module that each public name lives in, `features` and `replay` aside."""


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for (PEP 562)."""
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("drainwatch")
    elif name in _HOMES:
        value = getattr(import_module(f"drainwatch.{_HOMES[name]}"), name)
    else:
        message = f"module 'drainwatch' has no attribute {name!r}; it has {', '.join(__all__)}"
        raise AttributeError(message)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names, those not imported yet as well."""
    return sorted({*globals(), *__all__})


class _Package(ModuleType):
    """The package, where `features` and `replay` stay functions although modules have these names, too.

    The import of a submodule sets its package's attribute of the same name; a property withstands.
    """

    @property
    def features(self) -> Any:
        from drainwatch.frame import features

        return features

    @features.setter
    def features(self, module: ModuleType) -> None:
        """Leave the module where imports look for it, in `sys.modules`."""

    @property
    def replay(self) -> Any:
        from drainwatch.frame import replay

        return replay

    @replay.setter
    def replay(self, module: ModuleType) -> None:
        """Leave the module where imports look for it, in `sys.modules`."""


sys.modules[__name__].__class__ = _Package
