"""Which runs there are, which can be used, what was varied, and what does not fit: `audit.audit_runs`."""
