"""Internal helpers shared by all other packages."""
