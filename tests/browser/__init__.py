"""Pages in a real browser: what they draw, log and request."""
