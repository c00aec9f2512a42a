"""Subcommands that use trained runs: codes, pictures, export, and a table of runs. See docs/trained.md.

Public names, to be imported from their modules, so that importing the package stays cheap: `commands.TRAINED`,
`encode.encode`, `export.export`, `images.read_images`, `listing.print_table`.
"""
