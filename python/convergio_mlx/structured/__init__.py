"""Constrained decoding: JSON of a schema, a regular expression, a choice, Lark.

A `response_format` becomes rules of a grammar (response_format.py, schema.py), which llguidance
turns into a token mask at each step (grammars.py, and csrc/engine/grammar_constraint.h).
chats/grammar.py writes the grammar of a whole answer, tool calls included.
"""
