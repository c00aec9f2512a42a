"""Directories of Weights & Biases -> runs."""
