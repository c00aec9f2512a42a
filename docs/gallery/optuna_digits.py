"""A random search of Optuna over support vector machines, for docs/gallery.md. It does not use attnae.

python docs/gallery/optuna_digits.py logs/optuna
"""

import argparse
from pathlib import Path

import optuna
from sklearn.datasets import load_digits
from sklearn.model_selection import cross_val_score
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--trials", type=int, default=40)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    images, labels = load_digits(return_X_y=True)
    scaled = StandardScaler().fit_transform(images)

    def accuracy(trial):
        machine = SVC(
            C=trial.suggest_float("C", 0.01, 100, log=True),
            gamma=trial.suggest_float("gamma", 0.0001, 1, log=True),
            kernel=trial.suggest_categorical("kernel", ["rbf", "sigmoid"]),
            shrinking=trial.suggest_categorical("shrinking", [True, False]),
        )
        return cross_val_score(machine, scaled, labels, cv=3).mean()

    study = optuna.create_study(
        storage=f"sqlite:///{options.folder / 'optuna.db'}",
        study_name="accuracy of support vector machines",
        direction="maximize",
        sampler=optuna.samplers.RandomSampler(seed=1),
    )
    study.optimize(accuracy, n_trials=options.trials)


if __name__ == "__main__":
    main()
