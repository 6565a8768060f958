"""Work in parallel: tasks on an executor, their progress, and reading ahead."""
