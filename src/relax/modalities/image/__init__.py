"""Images: reading, units, fills, showing."""
