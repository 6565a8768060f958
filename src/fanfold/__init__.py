"""Exact composition, assembly and k-mer statistics of genomes of any size: fan out, fold in."""
