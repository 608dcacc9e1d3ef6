"""Simulated markets, owners and thieves: what the shipped model is trained on and tested with."""
