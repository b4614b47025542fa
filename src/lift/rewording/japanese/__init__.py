"""Rules for Japanese sentences."""
