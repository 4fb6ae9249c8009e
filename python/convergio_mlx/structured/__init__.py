"""Answers that must be of a form: JSON of a schema, calls of tools, a regular expression, Lark.

`response_format` and the tools become one grammar (grammar.py), which llguidance turns into a mask
of allowed tokens at each step (matcher.py) over the model's own vocabulary (token_table.py).
"""
