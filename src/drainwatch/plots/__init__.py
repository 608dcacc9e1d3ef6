"""Drawings of a replay or an incident with matplotlib; `drainwatch.plots.interactive` has them with plotly.

Each function takes a `drainwatch.Replay` or `drainwatch.Incident`, axes to draw on (`ax`; new ones where
absent) and a theme (`light` or `dark`), and gives the axes. What comes from outside is drawn as it stands.
"""

from drainwatch.plots.pictures import markouts, money, network, price, reasons, reliability, scores

__all__ = ["markouts", "money", "network", "price", "reasons", "reliability", "scores"]
