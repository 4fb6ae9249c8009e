"""Models in other formats, and of other programs, become folders that the engine loads."""
