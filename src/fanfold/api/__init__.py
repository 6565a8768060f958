"""The HTTP API: types, routes and problem documents that every end shares, and its client."""
