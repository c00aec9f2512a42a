"""Studies: many runs, their design, their state on disk, and the launchers that train them.

Public names, to be imported from their modules, so that importing the package stays cheap: `run.run_study`,
`design.make_design`, `design.Design`, `file.read_study_file`, `worker.work`, `worker.WorkOptions`,
`command.WorkCommand`.
"""
