"""Names of what a run writes to TensorBoard, on which training, reading and analysis agree."""

STAGES = ("train", "val", "test")
METRICS = ("loss", "bce", "kl", "elbo")

LEARNING_RATE = "lr"
KL_WEIGHT = "train/kl_weight"

# The completion mark of a run is a text, which TensorBoard's text plugin stores under `<tag>/text_summary`.
STATUS = "run/status"
STATUS_EVENT = f"{STATUS}/text_summary"
FINISHED = "finished"
DIVERGED = "diverged"

# The file in the directory of a study that holds the looks of `--until decided`.
LOOKS = "looks.json"


def scalar(stage: str, metric: str) -> str:
    """The tag of a metric, such as `val/loss`."""
    return f"{stage}/{metric}"


FINAL_METRICS = tuple(scalar("test", metric) for metric in METRICS)

RECONSTRUCTIONS = "pictures/reconstructions"
LATENT_WALK = "pictures/latent_walk"
LATENT_CODES = "pictures/latent_codes"
ATTENTION_MAPS = "pictures/attention_maps"

MODEL_SUMMARY = "model/summary"
