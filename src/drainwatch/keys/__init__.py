"""API keys: what each may do, as its exchange tells it, what is wrong with that, and what has changed."""
