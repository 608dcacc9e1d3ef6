"""Faces: an incident to words, a whole replay to one page. Pure: plain data in, text out."""

from drainwatch.report.page import to_html
from drainwatch.report.text import headline, to_text

__all__ = ["headline", "to_html", "to_text"]
