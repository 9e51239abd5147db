"""Runnable comparisons with peers; `results/` holds what was measured, with machine and versions. Not installed."""
