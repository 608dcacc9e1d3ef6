"""The benchmark: what drainwatch and other detectors find, on the same simulated accounts."""
