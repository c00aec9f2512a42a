"""Which runs there are, which can be used, what was varied, and what does not fit: `audit.audit_runs`.

Public names, to be imported from their modules, so that importing the package stays cheap: `audit.audit_runs`,
`audit.Audit`, `provenance.provenance`, `responses.EpochRule`.
"""
