"""Genomes and results in object stores, on the web and in pipes."""
