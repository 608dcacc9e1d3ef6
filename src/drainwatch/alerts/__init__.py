"""Alerts: what the owner is told, in which words, and how it reaches him."""

from drainwatch.alerts.channel import Channel
from drainwatch.alerts.delivery import Delivery
from drainwatch.alerts.outbox import post_notice
from drainwatch.alerts.teller import Teller

__all__ = ["Channel", "Delivery", "Teller", "post_notice"]
