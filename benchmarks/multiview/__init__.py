"""Clustering of objects with several views, and its explanations."""
