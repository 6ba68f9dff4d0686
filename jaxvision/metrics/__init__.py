"""Metrics with the protocol of `clu.metrics`: from_model_output, merge, compute."""
