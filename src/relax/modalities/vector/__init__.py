"""Vectors: reading, units, showing."""
