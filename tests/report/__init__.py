"""What is written about a run: each file as a function of the report and the survey."""
