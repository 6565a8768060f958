"""The server: the API and a page over folders or a bucket, each job in a process of its own."""
