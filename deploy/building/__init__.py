"""Builds wheels for Linux, and what AWS runs: the functions' zips and the image's context.

No container engine is needed.

wheels    fanfold cross-built, its dependencies downloaded by the lock
proof     what a wheel must hold to be kept and used
lock      ``requirements*.txt``, resolved anew
archive   zips, byte for byte the same every time
pack      wheels into zips and into the image's context
folders   where builds write: records of what they made, so that nothing else is removed
messages  progress, and the error
"""
