"""How well explanations of texts do: ``python -m benchmarks.text``."""
