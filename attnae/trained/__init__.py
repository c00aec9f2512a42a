"""What a trained run is used for: codes, pictures, export, and a table of many runs. See docs/trained.md."""
