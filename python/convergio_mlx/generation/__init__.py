"""One native request seen from Python: its sampling parameters, its chunks, its statistics."""
