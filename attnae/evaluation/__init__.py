"""Metrics and pictures of a trained model.

Public names, to be imported from their modules, so that importing the package stays cheap: `quality.MODEL_METRICS`,
`quality.quality_metrics`, `views.Views`, `pictures.walk_figure`, `apply.codes`.
"""
