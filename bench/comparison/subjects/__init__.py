"""A module for each engine; each is run as a process that is asked one thing and answers it."""
