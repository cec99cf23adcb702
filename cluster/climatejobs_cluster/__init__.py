"""A throwaway Kubernetes cluster for the demo and the tests, brought up and taken down by one command.

It stands on the standard library alone, because it runs before anything else is installed. It knows nothing of
climatejobs itself: what is installed in the cluster, and how, is the business of whoever asked for it.
"""
