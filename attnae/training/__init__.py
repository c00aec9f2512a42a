"""Training one model: the Lightning module, the optimiser, the trainer, and what a run logs, saves and shows.

Public names, to be imported from their modules, so that importing the package stays cheap: `run.train`,
`prepare.prepare`, `prepare.describe`, `module.AttentionVAE`, `optimizer.KerasAdam`, `summary.print_result`.
"""
