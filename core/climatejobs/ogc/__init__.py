"""A job in the words of OGC API - Processes: what REST answers, and what subscribers are sent. Pure."""
