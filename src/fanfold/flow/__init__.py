"""The program, in the order of its flow: `run` reads as its table of contents."""
