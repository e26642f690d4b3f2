"""A network draws digits that nobody wrote: ``python -m examples.vae`` trains a variational autoencoder, and draws to ``out/vae.svg``.

The encoder gives each of scikit-learn's digits a normal distribution over two numbers, the decoder makes an image of two numbers drawn
from it. Together they raise a bound of log p(x): how well the image is made again, less how far the distribution lies from the standard
one (Kingma & Welling 2014, "Auto-encoding variational Bayes"). Afterwards every point of the plane is an image.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from tqdm import tqdm

import tinygrad_hw as tg
from tinygrad_hw import data, nn, optim

from .common import options, save


class VAE(nn.Module):
    """An encoder to the mean and the logarithm of the variance of two numbers, and a decoder back to 64 logits of pixels."""

    def __init__(self, hidden: int = 128) -> None:
        self.encoder = nn.Sequential(nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, 2 * 2))
        self.decoder = nn.Sequential(nn.Linear(2, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 64))

    def forward(self, x: Any, noise: Any) -> Any:
        """Return the mean over images x (N, 64) of -log p(x | z) + KL(q(z | x) ‖ p(z)), the bound with its sign turned; noise (N, 2)."""
        mean, log_variance = np.split(self.encoder(x), 2, axis=1)
        z = mean + np.exp(log_variance / 2) * noise
        surprise = nn.binary_cross_entropy_with_logits(self.decoder(z), x, reduction="sum") / len(x)
        divergence = (mean**2 + np.exp(log_variance) - log_variance - 1).sum(axis=1).mean() / 2
        return surprise + divergence


def train(net: VAE, images: np.ndarray, epochs: int, seed: int = 0) -> list[float]:
    """Train, and return the mean loss of each epoch."""
    optimizer = optim.Adam(net.parameters(), lr=2e-3)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, max(epochs, 1))
    step = tg.compile(net, optimizer)
    rng, losses = np.random.default_rng(seed), []
    batches = data.batches(images, size=64, rng=rng, drop_last=True)
    for _ in (bar := tqdm(range(epochs), unit=" epochs", disable=None)):
        losses.append(float(np.mean([step(batch, rng.normal(size=(64, 2))) for batch in batches])))
        schedule.step()
        bar.set_postfix(loss=f"{losses[-1]:.2f}")
    return losses


def draw(net: VAE, images: np.ndarray, labels: np.ndarray, losses: Sequence[float]) -> Any:
    """Return a figure of the losses, of where the digits lie in the plane, and of the images that it is made of."""
    across = np.linspace(-2.1, 2.1, 15)
    places = np.stack(np.meshgrid(across, across[::-1]), axis=-1).reshape(-1, 2)
    with tg.no_grad():
        means = net.encoder(images)[:, :2].numpy()
        made = tg.sigmoid(net.decoder(places)).numpy()
    figure, (curve, plane, atlas) = plt.subplots(1, 3, figsize=(13, 4.3), layout="constrained")
    curve.plot(losses)
    curve.set(xlabel="epoch", title="Surprise at an image, and divergence", ylim=(min(losses) - 1, losses[0]))
    shown = plane.scatter(*means.T, c=labels, cmap="tab10", s=5, vmin=-0.5, vmax=9.5)
    figure.colorbar(shown, ticks=range(10))
    plane.set(title="Where the encoder puts each digit", xlabel="$z_1$", ylabel="$z_2$", aspect="equal", xlim=(-4, 4), ylim=(-4, 4))
    framed = np.pad(made.reshape(15, 15, 8, 8), ((0, 0), (0, 0), (1, 1), (1, 1)))
    atlas.imshow(framed.swapaxes(1, 2).reshape(150, 150), cmap="Greys", extent=(-2.25, 2.25, -2.25, 2.25))
    atlas.set(title="What the decoder makes of each place", xlabel="$z_1$", ylabel="$z_2$")
    return figure


def main(arguments: Sequence[str] | None = None) -> list[float]:
    """Train, tell how well, and draw; return the loss of each epoch."""
    given = options(__doc__, arguments, epochs=100, out=Path("out/vae.svg"))
    images, labels = load_digits(return_X_y=True)
    net = VAE().reset_parameters(0)
    losses = train(net, images / 16, given.epochs)
    save(draw(net, images / 16, labels, losses), given.out)
    print(f"loss {losses[0]:.2f} in the first epoch, {losses[-1]:.2f} in the last; {given.out}")
    return losses


if __name__ == "__main__":
    main()
