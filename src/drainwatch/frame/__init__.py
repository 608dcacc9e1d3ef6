"""The notebook's face: DataFrames in, DataFrames out, through the same engine as files and streams."""

from drainwatch.frame.incident import Incident
from drainwatch.frame.read import read_fills
from drainwatch.frame.run import Replay, features, replay

__all__ = ["Incident", "Replay", "features", "read_fills", "replay"]
