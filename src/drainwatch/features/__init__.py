"""What a fill is judged by: one row of numbers, each rising with danger, NaN where it can't be known."""

from drainwatch.features.registry import COUNT, FAMILIES, FEATURES, NAMES, Feature, columns, index, markdown

__all__ = ["COUNT", "FAMILIES", "FEATURES", "NAMES", "Feature", "columns", "index", "markdown"]
