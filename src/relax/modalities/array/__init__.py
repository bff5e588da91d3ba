"""Arrays of any number of dimensions: signals, volumes, grids of measurements."""
