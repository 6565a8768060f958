"""Builds what AWS runs: the functions' zips and the image's context. No container engine is needed.

wheels   fanfold cross-built, its dependencies downloaded by the lock
lock     ``requirements.txt``, resolved anew
archive  zips, byte for byte the same every time
pack     wheels into zips and into the image's context
"""
