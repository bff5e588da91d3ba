"""How good the default explanation is: ``make quality`` writes docs/quality.md."""
