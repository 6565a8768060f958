"""Fuzzing: laws that hold for any bytes, and a loop that looks for bytes that break them.

Each target is a module with three things: `check` raises if some bytes break its law, `seeds` are
inputs to change, and `TOKENS` are pieces to put into them. `corpus/<target>/` has what ever broke a
law, and hard inputs of others.

    python -m fuzz law --seconds 60     in tests/
"""
