"""Rules for English sentences."""
