"""What is written about a run: the report, and the record that proves it."""
