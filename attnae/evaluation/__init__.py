"""Metrics and pictures of a trained model."""
