"""The model: blocks, coders and the variational autoencoder. It imports nothing else of attnae."""
