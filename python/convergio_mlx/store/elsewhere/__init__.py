"""Models that other programs keep on this machine: Ollama, LM Studio, the Hugging Face cache. What
is theirs is read and never changed."""
