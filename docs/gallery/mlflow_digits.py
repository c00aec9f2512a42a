"""Random forests in an MLflow store, for docs/gallery.md. It does not use attnae.

Three settings with two values each are compared with four random states each:

    python docs/gallery/mlflow_digits.py logs/mlflow
"""

import argparse
from itertools import product
from pathlib import Path

import mlflow
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_val_score


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--states", type=int, default=4)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    mlflow.set_tracking_uri(f"sqlite:///{options.folder.resolve() / 'mlflow.db'}")
    mlflow.create_experiment("forests", artifact_location=(options.folder / "artifacts").resolve().as_uri())
    mlflow.set_experiment("forests")
    images, labels = load_digits(return_X_y=True)
    for criterion, max_features, bootstrap, random_state in product(
        ("gini", "entropy"), (0.1, 0.5), (True, False), range(options.states)
    ):
        settings = {
            "criterion": criterion,
            "max_features": max_features,
            "bootstrap": bootstrap,
            "random_state": random_state,
        }
        forest = RandomForestClassifier(n_estimators=30, **settings)
        with mlflow.start_run():
            mlflow.log_params({"n_estimators": 30, **settings})
            mlflow.log_metric("accuracy", cross_val_score(forest, images, labels, cv=5).mean())


if __name__ == "__main__":
    main()
