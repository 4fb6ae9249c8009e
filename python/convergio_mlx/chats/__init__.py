"""Chat requests and their answers: tools, reasoning and response formats, put to a model and read
back as events."""
