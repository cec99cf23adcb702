"""Aggregation along time: a plan made of metadata alone, the arithmetic, and the engine that joins them."""
