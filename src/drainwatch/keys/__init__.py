"""API keys: what each may do as its exchange tells it, what has changed, and where they lie about."""
