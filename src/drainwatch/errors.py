"""What can go wrong, as one tree.

DrainwatchError
├── InputError        a table can't be read or used as it is (exit status 3)
├── ConfigError       a setting is unknown or out of range (exit status 2)
├── ModelError        a model file is damaged, of another schema, or doesn't fit
├── StateError        a snapshot or a store is damaged, of another version, or can't be reached
└── VenueError        an exchange can't be reached, or answers nonsense
    └── KeyRefusedError   it doesn't take the key

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
    """A snapshot or a store is damaged, of another version or model, or can't be reached."""


class VenueError(DrainwatchError):
    """An exchange can't be reached, or answers what its documents don't say. Never holds a key."""


class KeyRefusedError(VenueError):
    """An exchange doesn't take the key: unknown, revoked, expired, or not from this address."""
