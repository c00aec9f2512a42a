"""What the name of a column says about its role.

A name is split into words, so that `loss_weight` is not taken for a loss. The lists are a matter of convention: they
hold the names that machine learning programs use, and `--factors` and `--response` overrule them.
"""

from __future__ import annotations

import re

# fmt: off
RESULT_WORDS = {
    "loss", "response", "fitness", "metric", "score", "objective", "accuracy", "acc", "auc", "auroc", "f1", "elbo",
    "psnr", "ssim", "reward", "return", "error", "err", "rmse", "mse", "mae", "nll", "perplexity", "ppl", "bce", "kl",
    "iou", "miou", "dice", "recall", "bleu", "rouge", "fid", "wer", "cer", "r2", "top1", "top5",
    "test", "val", "valid", "validation", "hparam",
}
# With one of these words a name that holds a word of the first list is still a setting: kl_weight, val_size.
SETTING_WORDS = {
    "weight", "size", "rate", "fn", "type", "function", "name", "fraction", "split", "ratio", "every", "interval",
    "freq", "frequency", "steps", "batches", "epochs", "coef", "coefficient", "scale", "smoothing", "patience",
    "threshold", "lambda", "alpha", "beta", "gamma",
}
# Settings wherever their column stands.
HYPERPARAMETER_WORDS = {
    "lr", "learning", "wd", "decay", "dropout", "momentum", "batch", "batchsize", "layers", "units", "hidden", "width",
    "depth", "heads", "dim", "kernel", "filters", "channels", "warmup", "temperature", "eps", "epsilon", "beta1",
    "beta2", "l1", "l2", "estimators", "seed",
} | SETTING_WORDS
# What programs measure beside the results, if the values are mostly different.
MEASURED_WORDS = {
    "time", "runtime", "duration", "elapsed", "seconds", "secs", "sec", "minutes", "hours", "memory", "mem",
    "throughput", "fps", "latency", "timestamp", "energy",
}
# Results that are beside the point if the plain metric is there: best_acc, loss_std, rank_test_score.
SECONDARY_WORDS = {
    "best", "min", "max", "std", "sd", "se", "sem", "stderr", "var", "variance", "rank", "ci", "lower", "upper",
    "system",
}
# fmt: on
SEED = re.compile(r"(.*[_./-])?(seed|random_state|random_seed)|folds?|rep", re.IGNORECASE)
STEP = re.compile(r"(trainer/)?_?(epoch|step|global_step)", re.IGNORECASE)


def words_of(name: str) -> set[str]:
    """The words of a name in lower case: `valLoss`, `val/loss` and `val_loss` all have `val` and `loss`.

    A number belongs to its word, since `f1` is a result and `f10` none; longer words count without it as well.
    """
    split = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    found = set(re.findall(r"[a-z]+\d*", f"{name} {split}".lower()))
    return found | {bare for word in found if len(bare := word.rstrip("0123456789")) > 1}


def is_result_name(name: str) -> bool:
    """Whether the name of a column says that it was measured, as `test/loss` was, and not set, as `loss_weight` was."""
    words = words_of(name)
    if {"error", "rate"} <= words:
        return True
    return not words.isdisjoint(RESULT_WORDS) and words.isdisjoint(SETTING_WORDS)


def is_secondary(name: str) -> bool:
    """Whether a result is a summary or a companion of another one, and so not what an analysis explains first."""
    return not words_of(name).isdisjoint(SECONDARY_WORDS)


def is_hyperparameter_name(name: str) -> bool:
    return not words_of(name).isdisjoint(HYPERPARAMETER_WORDS)


def is_measured_name(name: str) -> bool:
    """Whether the name is that of a cost: a time, or an amount of memory."""
    words = words_of(name)
    return not words.isdisjoint(MEASURED_WORDS) and words.isdisjoint({"limit", "budget", "embedding", "steps"})
