"""A result, said: on the terminal, on a page, in files."""
