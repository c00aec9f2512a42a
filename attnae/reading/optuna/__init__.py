"""Optuna's storages: an SQLite file, and a journal. Its table of trials is read by `reading.table`."""
