"""Data sets: where their images come from, and the batches that a run trains on.

Public names, to be imported from their modules, so that importing the package stays cheap: `types.DataSet`,
`types.Images`, `sources.source_of`, `folder.load_folder`, `module.ImageData`, `module.Batch`.
"""
