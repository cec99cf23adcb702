"""Parts of the benchmark of `resample`: its data, and what it is compared with."""
