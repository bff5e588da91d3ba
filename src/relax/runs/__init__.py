"""Batch runs: explain many inputs and write the results to a folder."""
