"""Runs: many inputs to files in a folder."""
