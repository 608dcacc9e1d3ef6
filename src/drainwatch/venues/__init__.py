"""Streams of exchanges: each venue's protocol without I/O, and what carries them over the network."""
