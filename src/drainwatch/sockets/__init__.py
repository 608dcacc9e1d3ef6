"""Local sockets: rows in from bots, incidents and verdicts out to them."""
