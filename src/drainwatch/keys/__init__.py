"""Keys of exchanges: what they may do, and where they lie about."""
