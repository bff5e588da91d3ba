"""The text modality: reading, units, fills, showing."""
