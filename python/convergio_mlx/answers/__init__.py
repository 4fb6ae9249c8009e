"""Answers with a form: text, reasoning and tool calls told apart, asked for and read back."""
