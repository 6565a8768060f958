"""Servers that tests start on loopback: object stores, a web server, a proxy that breaks things."""
