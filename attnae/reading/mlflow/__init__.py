"""MLflow's stores of runs: an SQLite file, and a directory of files. Its CSV export is a table (`reading.table`)."""
