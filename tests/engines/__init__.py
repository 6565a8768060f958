"""The engines: whatever runs the tasks, and wherever the bytes are, the report is the same."""
