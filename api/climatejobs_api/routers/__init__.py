"""Routes: each reads a request, asks the store or the data root, and renders what it got."""
