"""Encoders by name: the loaders of other libraries' models, and those whose weights come with packages."""
