"""Run directories that training libraries write: one file per library."""
