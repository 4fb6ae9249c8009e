"""What holds an answer to a form: JSON of a schema, a regular expression, a choice, Lark.

A `response_format` becomes rules of a grammar (response_format.py, schema.py), which llguidance
turns into a mask of allowed tokens at each step (matcher.py) over the model's own vocabulary
(token_table.py). answers/grammar.py writes the grammar of a whole answer, tool calls included.
"""
