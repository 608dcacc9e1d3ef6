"""Case files: what is known of one incident, to print and to check, for the exchange and the police."""
