"""Builds the three images (`images/build`): with Docker where it runs, else from Debian packages with buildah.

What an image holds is said in the Dockerfile alone; here is only how it is built, named and kept. Every image is also
written to the cache as a Docker archive, which nodes of either provider of the cluster tool can read.
"""
