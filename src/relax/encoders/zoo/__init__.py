"""Loaders of named encoders: models of other libraries, and models whose weights ship in packages."""
