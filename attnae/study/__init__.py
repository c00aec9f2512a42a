"""Many runs: the design, its state on disk, and what trains them."""
