"""Does spatial attention help a convolutional autoencoder, by how much, and how sure are we?

Importing this package is cheap: torch comes in only with the name that needs it.
"""

__version__ = "0.1.0"
