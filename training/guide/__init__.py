"""The corpus, the network and the trainer's parts of the built-in guide model."""
