"""The figures of a trained model, drawn from arrays: nothing here uses a model or a run.

Images are (N, C, H, W) in [0, 1]; codes are (N, latent). Figures are matplotlib's and need no display.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec

WALK_LIMIT = 5.0
WALK_STEPS = 30
SCATTER_POINTS = 5000
LEGEND = 0.5  # inches beside a scatter plot


def walk_codes(codes: np.ndarray, steps: int = WALK_STEPS, limit: float = WALK_LIMIT) -> tuple[np.ndarray, list[int]]:
    """The codes of a latent walk, (steps * steps, latent), and the one or two dimensions it moves.

    The grid over [-limit, limit]^2 moves the two dimensions with the largest variance in `codes`, (N, latent); the
    others stay at their mean. The second dimension decreases from row to row, as in a plot whose axis points up.
    """
    latent = codes.shape[1]
    moved = sorted(np.argsort(-codes.var(axis=0), kind="stable")[:2].tolist()) if latent > 2 else list(range(latent))
    grid = np.tile(codes.mean(axis=0), (steps * steps, 1)) if latent > 2 else np.zeros((steps * steps, latent))
    axis = np.linspace(-limit, limit, steps)
    across, up = np.meshgrid(axis, axis[::-1])
    for dimension, values in zip(moved, (across, up), strict=False):
        grid[:, dimension] = values.ravel()
    return grid.astype(np.float32), moved


def tile(images: np.ndarray, columns: int) -> np.ndarray:
    """Arrange images (N, C, H, W) in a grid: (rows * H, columns * W), with a last axis of 3 for RGB.

    The last row is filled up with white.
    """
    count, channels, height, width = images.shape
    rows = -(-count // columns)
    padded = np.ones((rows * columns, channels, height, width), dtype=images.dtype)
    padded[:count] = images
    picture = padded.reshape(rows, columns, channels, height, width).transpose(0, 3, 1, 4, 2)
    picture = picture.reshape(rows * height, columns * width, channels)
    return picture[..., 0] if channels == 1 else picture


def draw_walk(axes: Axes, images: np.ndarray, moved: Sequence[int], latent_dim: int) -> None:
    """Draw a decoded latent walk, with the values of the two dimensions along the axes."""
    steps = round(len(images) ** 0.5)
    extent = (-WALK_LIMIT, WALK_LIMIT, -WALK_LIMIT, WALK_LIMIT)
    axes.imshow(tile(images, steps), cmap="gray", vmin=0, vmax=1, extent=extent, interpolation="nearest")
    axes.set_xlabel(f"$z_{{{moved[0] + 1}}}$")
    axes.set_ylabel(f"$z_{{{moved[1] + 1}}}$" if len(moved) > 1 else "")
    which = "" if latent_dim <= 2 else f": the 2 of {latent_dim} dimensions with the largest variance"
    axes.set_title(f"Latent walk{which}", fontsize="medium")


def scatter_coordinates(codes: np.ndarray) -> tuple[np.ndarray, str]:
    """Codes as points of a plane, (N, 2), and a note on how: as they are, or their two principal components."""
    if codes.shape[1] > 2 and len(codes) < 2:
        return codes[:, :2], "the first two latent dimensions"
    if codes.shape[1] > 2:
        from sklearn.decomposition import PCA  # slow to import, and needed only after the training

        return PCA(2, random_state=0).fit_transform(codes), f"PCA of {codes.shape[1]} latent dimensions"
    if codes.shape[1] == 1:
        return np.column_stack([codes[:, 0], np.zeros(len(codes))]), "1 latent dimension"
    return codes, ""


def draw_scatter(axes: Axes, codes: np.ndarray, labels: np.ndarray, title: str) -> None:
    """Draw codes coloured by label (-1: no label). At most `SCATTER_POINTS` of them are drawn."""
    index = np.linspace(0, len(codes) - 1, min(len(codes), SCATTER_POINTS)).astype(int)
    points, how = scatter_coordinates(codes[index])
    labels = labels[index]
    names = np.unique(labels)
    colours = "tab10" if len(names) <= 10 else "viridis"
    places = np.searchsorted(names, labels)
    drawn = axes.scatter(
        points[:, 0],
        points[:, 1],
        c=places,
        cmap=colours,
        vmin=-0.5,
        vmax=max(len(names), 10) - 0.5,
        s=6,
        lw=0,
        alpha=0.6,
    )
    if 1 < len(names) <= 20:
        handles, _ = drawn.legend_elements(num=list(range(len(names))), alpha=1)
        axes.legend(
            handles,
            names.tolist(),
            fontsize="x-small",
            loc="center left",
            bbox_to_anchor=(1, 0.5),
            frameon=False,
            handletextpad=0,
            borderaxespad=0,
        )
    axes.ticklabel_format(scilimits=(-2, 3))  # longer numbers would leave the figure
    axes.set_title(f"{title}{f' ({how})' if how else ''}", fontsize="medium")
    axes.set_xlabel("component 1" if codes.shape[1] > 2 else "$z_1$")
    axes.set_ylabel("component 2" if codes.shape[1] > 2 else "$z_2$" if codes.shape[1] == 2 else "")


def walk_figure(images: np.ndarray, moved: Sequence[int], latent_dim: int) -> Figure:
    """A figure of the latent walk."""
    figure = Figure(figsize=(7, 7))
    draw_walk(figure.add_subplot(_grid(figure)[0]), images, moved, latent_dim)
    return figure


def scatter_figure(codes: Mapping[str, np.ndarray], labels: Mapping[str, np.ndarray]) -> Figure:
    """A figure of the codes of each split, side by side."""
    figure = Figure(figsize=(5.6 * len(codes), 4.6))
    grid = _grid(figure, 1, len(codes), right=LEGEND)
    for column, split in enumerate(codes):
        draw_scatter(figure.add_subplot(grid[0, column]), codes[split], labels[split], f"{split} codes".capitalize())
    return figure


def reconstruction_figure(inputs: np.ndarray, outputs: np.ndarray) -> Figure:
    """A figure of the inputs, each above its reconstruction."""
    count = len(inputs)
    figure = Figure(figsize=(0.8 * count + 1, 2.2))
    axes = figure.add_subplot(_grid(figure, bottom=0.1)[0])
    axes.imshow(tile(np.concatenate([inputs, outputs]), count), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    height = inputs.shape[2]
    axes.set_yticks([height / 2, 1.5 * height], ["input", "output"])
    axes.set_xticks([])
    axes.set_title("Reconstructions", fontsize="medium")
    return figure


def attention_figure(inputs: np.ndarray, maps: Mapping[str, np.ndarray], title: str = "Spatial attention") -> Figure:
    """A figure of the inputs and, in a row for each block, its attention (N, 1, H, W) drawn over the inputs.

    The colours of a row span its own range of values, which the colour bar at its end shows. The keys of `maps` stand
    before the rows, each path of a block in several lines.
    """
    labels = [label.replace(".stage", "\nstage").replace(".block", "\nblock") for label in maps]
    # One axes for each row, placed by hand: laying out an axes for each image takes longer than a short epoch.
    rows, columns = len(maps) + 1, len(inputs)
    left = max(1.0, *(0.1 + 0.07 * len(line) for label in labels for line in label.split("\n")))
    width, height = columns + left + 0.8, rows + 0.4
    figure = Figure(figsize=(width, height))
    inches = {"left": left / width, "right": 1 - 0.5 / width, "bottom": 0.1 / height, "top": 1 - 0.35 / height}
    ratios = {"width_ratios": [columns, 0.1], "wspace": 0.15 / columns, "hspace": 0.08}
    grid = figure.subplots(rows, 2, squeeze=False, gridspec_kw={**inches, **ratios})
    extent = (0, columns, 0, 1)
    for axes in grid[:, 0]:
        axes.imshow(tile(inputs, columns), cmap="gray", vmin=0, vmax=1, extent=extent)
        axes.vlines(range(1, columns), 0, 1, "white", lw=1)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_anchor("E")  # next to its colour bar
    for (axes, bar), label, attention in zip(grid[1:], labels, maps.values(), strict=True):
        overlay = axes.imshow(tile(attention, columns), cmap="inferno", alpha=0.7, extent=extent)
        axes.set_ylabel(label, rotation=0, ha="right", va="center", fontsize="x-small")
        # No common offset: matplotlib would write it above the bar, over the row above.
        figure.colorbar(overlay, cax=bar, format="{x:.6g}").ax.tick_params(labelsize="xx-small")
    grid[0, 1].set_axis_off()
    figure.suptitle(f"{title} over the input", fontsize="medium", y=1 - 0.1 / height, va="top")
    return figure


def article_figure(
    *,
    codes: Mapping[str, np.ndarray],
    labels: Mapping[str, np.ndarray],
    curves: Mapping[str, Mapping[int, float]],
    walk: np.ndarray,
    moved: Sequence[int],
    title: str,
) -> Figure:
    """The article's figure of a run: train and test codes, curves of the loss and the KL divergence, the latent walk.

    `curves` maps tags such as `train/loss` to {epoch: value}; those of loss and kl are drawn.
    """
    figure = Figure(figsize=(15, 9.5))
    grid = _grid(figure, 2, 3, top=0.8, width_ratios=(1, 1, 2.2))
    for column, split in enumerate(("train", "test")):
        draw_scatter(figure.add_subplot(grid[0, column]), codes[split], labels[split], f"{split.capitalize()} codes")
    for column, (metric, unit) in enumerate((("loss", ""), ("kl", " (nats per image)"))):
        axes = figure.add_subplot(grid[1, column])
        for stage, style in (("train", "-"), ("val", "--")):
            points = curves.get(f"{stage}/{metric}", {})
            axes.plot(list(points), list(points.values()), style, marker="." if len(points) < 10 else None, label=stage)
        axes.set_title("Loss" if metric == "loss" else "KL divergence", fontsize="medium")
        axes.set_xlabel("epoch")
        axes.set_ylabel(f"{metric}{unit}")
        axes.legend(fontsize="small", frameon=False)
        axes.locator_params(axis="x", integer=True)
    draw_walk(figure.add_subplot(grid[:, 2]), walk, moved, next(iter(codes.values())).shape[1])
    figure.suptitle(title, y=1 - 0.15 / 9.5, va="top")
    return figure


def to_array(figure: Figure, dpi: int = 100) -> np.ndarray:
    """The rendered figure: uint8 (H, W, 3)."""
    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _grid(
    figure: Figure,
    rows: int = 1,
    columns: int = 1,
    *,
    right: float = 0.15,
    bottom: float = 0.55,
    top: float = 0.4,
    width_ratios: Sequence[float] | None = None,
) -> GridSpec:
    """Places for axes, with margins and gaps in inches that leave room for labels, titles and a legend in each gap.

    matplotlib's own layout draws everything twice to find the room, which is as long as the drawing itself.
    """
    width, height = figure.get_size_inches()
    left, between, below = 0.75, 0.75 + LEGEND, 0.95
    across = (width - left - right - between * (columns - 1)) / columns
    up = (height - bottom - top - below * (rows - 1)) / rows
    return GridSpec(
        rows,
        columns,
        figure,
        left=left / width,
        right=1 - right / width,
        bottom=bottom / height,
        top=1 - top / height,
        wspace=between / across,
        hspace=below / up,
        width_ratios=width_ratios,
    )
