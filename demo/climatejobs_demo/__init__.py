"""`make demo`: climatejobs on a real cluster, from nothing to an opened result.

The tests install climatejobs the same way, through `installation`.
"""
