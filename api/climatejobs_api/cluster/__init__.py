"""Jobs kept in a Kubernetes cluster: written through its API server, read from a watched copy."""
