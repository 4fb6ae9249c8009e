"""One interface to models, wherever they run: what a host programs against."""
