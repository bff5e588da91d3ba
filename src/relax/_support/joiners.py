"""Characters that are not printable and yet part of what is written."""

JOINERS = frozenset({"\u200c", "\u200d", *map(chr, range(0xE0020, 0xE0080))})
"""Joiners of letters and emoji, and the tags of flags."""
