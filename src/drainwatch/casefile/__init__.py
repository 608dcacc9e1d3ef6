"""Case files: what is known of one incident, for the exchange and the police, to print and to check."""
