"""The model: blocks, coders and the variational autoencoder. It imports nothing else of attnae.

Public names, to be imported from their modules, so that importing the package stays cheap: `vae.VAE`,
`vae.reconstruction_bce`, `vae.kl_divergence`, `blocks.ConvBlock`, `blocks.DenseBlock`, `blocks.SpatialAttention`,
`blocks.ChannelAttention`, `keras_weights.load_keras_weights`, `activations.ACTIVATIONS`.
"""
