"""Estimation: which masks to try, the loop that tries them, and what they say together."""
