"""The k-mers of finished reports, read again: one type for tables of every k.

run.json, master.json ──finished──▶ KmerTable ──┬─▶ counts of some k-mers
parts of k from 9 on ──part_rows──▶             ├─▶ blocks, text, Arrow
                                                └─▶ what two tables share
"""
