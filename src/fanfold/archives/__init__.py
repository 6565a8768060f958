"""Compressed inputs: recognised by their first bytes, and inflated."""
