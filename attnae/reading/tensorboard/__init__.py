"""TensorBoard's event files -> runs."""
