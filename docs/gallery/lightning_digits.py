"""A plain Lightning project for docs/gallery.md: a small classifier that logs with Lightning's own CSVLogger.

It does not use attnae. Two optimizers, two dropout rates and two widths are trained with three seeds each:

    python docs/gallery/lightning_digits.py logs/lightning
"""

import argparse
from itertools import product

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import CSVLogger
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset


class Classifier(pl.LightningModule):
    def __init__(self, optimizer, dropout, width, seed):
        super().__init__()
        self.save_hyperparameters()
        self.layers = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, 10))

    def training_step(self, batch, _):
        images, labels = batch
        loss = cross_entropy(self.layers(images), labels)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch, _):
        images, labels = batch
        logits = self.layers(images)
        self.log("val_loss", cross_entropy(logits, labels))
        self.log("val_acc", (logits.argmax(dim=1) == labels).float().mean())

    def configure_optimizers(self):
        if self.hparams.optimizer == "adam":
            return torch.optim.Adam(self.parameters(), lr=0.001)
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    images, labels = load_digits(return_X_y=True)
    tensors = [
        torch.tensor(array, dtype=kind)
        for array, kind in zip(
            train_test_split(images / 16, labels, test_size=0.3, random_state=0),
            (torch.float32, torch.float32, torch.int64, torch.int64),
            strict=True,
        )
    ]
    train, val = TensorDataset(tensors[0], tensors[2]), TensorDataset(tensors[1], tensors[3])
    for optimizer, dropout, width, seed in product(("sgd", "adam"), (0.0, 0.3), (32, 128), range(options.seeds)):
        pl.seed_everything(seed, verbose=False)
        trainer = pl.Trainer(
            max_epochs=options.epochs,
            accelerator="cpu",
            logger=CSVLogger(options.folder),
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            log_every_n_steps=1,
        )
        loaders = DataLoader(train, batch_size=64, shuffle=True), DataLoader(val, batch_size=len(val))
        trainer.fit(Classifier(optimizer=optimizer, dropout=dropout, width=width, seed=seed), *loaders)


if __name__ == "__main__":
    main()
