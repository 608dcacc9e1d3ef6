"""Logs of the owner's own bots: which orders they say they placed. Only ever read."""
