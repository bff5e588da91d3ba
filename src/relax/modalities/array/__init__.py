"""The array modality: signals, volumes, grids of measurements."""
