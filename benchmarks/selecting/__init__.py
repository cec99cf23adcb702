"""What the benchmark of `subset` and `zonal_stats` is made of."""
