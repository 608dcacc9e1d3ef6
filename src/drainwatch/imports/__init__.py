"""Files from anywhere: exports of exchanges and bots, told apart by their columns and read as fills."""
