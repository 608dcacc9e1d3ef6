"""What can go wrong, as one tree.

DrainwatchError
├── InputError        a table can't be read or used as it is (exit status 3)
├── ConfigError       a setting is unknown or out of range (exit status 2)
├── ModelError        a model file is damaged, of another schema, or doesn't fit
└── StateError        a snapshot is damaged or of another version

Every message says what was expected, what was found, where, and what to do.
"""


class DrainwatchError(Exception):
    """Base of every error that drainwatch raises on purpose."""


class InputError(DrainwatchError):
    """A table can't be used: no such file, no rows, a needed column is missing, too many bad rows."""


class ConfigError(DrainwatchError):
    """A setting is unknown, of the wrong type, or out of its range; names its path."""


class ModelError(DrainwatchError):
    """A model file is damaged, was altered, or is of a schema this version doesn't read."""


class StateError(DrainwatchError):
    """A snapshot is damaged, or was taken by a version or with a model that doesn't match."""
