"""Speed and accuracy beside relax-xai 0.0.5; run with ``python -m benchmarks``."""
