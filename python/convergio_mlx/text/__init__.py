"""Text on its way to a model and back: messages, chat templates, tokenizers, stop strings."""
