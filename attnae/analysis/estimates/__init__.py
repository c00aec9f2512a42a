"""The tables of the report, each computed from the design and the responses."""
