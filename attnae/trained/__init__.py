"""Subcommands that use trained runs: codes, pictures, export, and a table of runs. See docs/trained.md."""
