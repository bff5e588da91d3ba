"""Does the report find what was planted? ``make insight``."""
