"""``relax run`` over real pictures, killed again and again: the figures of docs/run.md."""
