"""The running watch: what it hears is judged as it comes, and it says how it is."""
