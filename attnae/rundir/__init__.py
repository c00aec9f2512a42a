"""What a run leaves behind, and how it is read again.

Public names, to be imported from their modules, so that importing the package stays cheap:
`directory.make_run_directory`, `directory.read_unfinished`, `directory.read_metrics`, `directory.locked`,
`checkpoint.load`, `checkpoint.read_checkpoint`, `events.EventLogger`, `record.Record`, `record.RunResult`,
`locks.local_locks`.
"""
