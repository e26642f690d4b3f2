"""A network invents chemical elements: ``python -m examples.names`` learns the names of the 118 that are known, letter by letter.

From the letters before it, the network gives each letter a probability to come next (Bengio et al. 2003, "A neural probabilistic language
model"; A. Karpathy's "makemore"). Letters enter as vectors, which are learned as well; ``out/names.svg`` shows how they come to lie.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from tqdm import tqdm

import tinygrad_hw as tg
from tinygrad_hw import data, nn, optim

from .common import options, save

TEXT = """
actinium aluminium americium antimony argon arsenic astatine barium berkelium beryllium bismuth bohrium boron bromine cadmium caesium
calcium californium carbon cerium chlorine chromium cobalt copernicium copper curium darmstadtium dubnium dysprosium einsteinium erbium
europium fermium flerovium fluorine francium gadolinium gallium germanium gold hafnium hassium helium holmium hydrogen indium iodine
iridium iron krypton lanthanum lawrencium lead lithium livermorium lutetium magnesium manganese meitnerium mendelevium mercury molybdenum
moscovium neodymium neon neptunium nickel nihonium niobium nitrogen nobelium oganesson osmium oxygen palladium phosphorus platinum
plutonium polonium potassium praseodymium promethium protactinium radium radon rhenium rhodium roentgenium rubidium ruthenium
rutherfordium samarium scandium seaborgium selenium silicon silver sodium strontium sulfur tantalum technetium tellurium tennessine
terbium thallium thorium thulium tin titanium tungsten uranium vanadium xenon ytterbium yttrium zinc zirconium
"""
NAMES = TEXT.split()
LETTERS = ".abcdefghijklmnopqrstuvwxyz"  # the dot stands before a name and after it
CONTEXT = 4


def examples_of(names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return for each letter of the names, and for their ends, the letters before it (N, CONTEXT), and itself (N,), as numbers."""
    codes = [[0] * CONTEXT + [LETTERS.index(letter) for letter in name] + [0] for name in names]
    before = [code[i : i + CONTEXT] for code in codes for i in range(len(code) - CONTEXT)]
    return np.array(before), np.array([letter for code in codes for letter in code[CONTEXT:]])


def network(size: int = 8, hidden: int = 64) -> nn.Sequential:
    """Return a network that takes the letters before to the logits of the next."""
    return nn.Sequential(
        *(nn.Embedding(len(LETTERS), size), nn.Flatten()),
        *(nn.Linear(CONTEXT * size, hidden), nn.Tanh(), nn.Dropout(0.3)),
        nn.Linear(hidden, len(LETTERS)),
    )


def train(net: nn.Sequential, epochs: int, seed: int = 0) -> np.ndarray:
    """Train on nine of ten names; return for each epoch the mean loss on these and on the others, (epochs, 2)."""
    names = np.random.default_rng(seed).permutation(NAMES)
    (X, y), (X_test, y_test) = examples_of(names[12:]), examples_of(names[:12])
    optimizer = optim.AdamW(net.parameters(), lr=3e-3, weight_decay=0.1)
    step = tg.compile(lambda before, letter: nn.cross_entropy(net(before), letter), optimizer)
    batches, losses = data.batches(X, y, size=64, rng=seed, drop_last=True), []
    for _ in (bar := tqdm(range(epochs), unit=" epochs", disable=None)):
        learned = np.mean([step(*batch) for batch in batches])
        with tg.no_grad():
            losses.append((learned, nn.cross_entropy(net.eval()(X_test), y_test).item()))
        net.train()
        bar.set_postfix(loss=f"{losses[-1][0]:.2f}", new_names=f"{losses[-1][1]:.2f}")
    return np.array(losses)


def invented(net: nn.Sequential, count: int, seed: int = 0) -> list[str]:
    """Return names that the network makes up, each letter drawn by its probability; those that exist are left out."""
    rng, found = np.random.default_rng(seed), list[str]()
    while len(found) < count:
        codes = [0] * CONTEXT
        while len(codes) == CONTEXT or (codes[-1] and len(codes) < 20):
            with tg.no_grad():
                probabilities = tg.softmax(net(np.array([codes[-CONTEXT:]])))[0].numpy()
            codes.append(rng.choice(len(LETTERS), p=probabilities))
        name = "".join(LETTERS[code] for code in codes).strip(".")
        if name not in NAMES and name not in found:
            found.append(name)
    return found


def draw(net: nn.Sequential, losses: np.ndarray) -> Any:
    """Return a figure of the losses, and of the letters' vectors as seen from where they differ most."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
    left.plot(losses, label=["names that it learns from", "names that it does not know"])
    left.axhline(np.log(len(LETTERS)), color="grey", linestyle=":", label="guessing")
    left.set(xlabel="epoch", ylabel="cross entropy of a letter", ylim=(0, None))
    left.legend()
    vectors = net[0].weight.numpy()
    places = np.linalg.svd(vectors - vectors.mean(0))[0][:, :2]
    for letter, place in zip(LETTERS, places):
        right.annotate(letter, place, ha="center", va="center", fontsize=14, color="firebrick" if letter in "aeiouy" else "black")
    right.scatter(*places.T, s=0)
    right.set(title="Letters as the network sees them", xmargin=0.1)
    right.set_axis_off()
    return figure


def main(arguments: Sequence[str] | None = None) -> list[str]:
    """Train, print new names, and draw; return the names."""
    given = options(__doc__, arguments, epochs=60, count=20, out=Path("out/names.svg"))
    net = network().reset_parameters(0)
    nn.init.normal_(net[0].weight, std=0.1, rng=0)  # (small, so that letters lie where they do because of what was learned)
    losses = train(net, given.epochs)
    save(draw(net, losses), given.out)
    names = invented(net.eval(), given.count)
    print(f"cross entropy {losses[-1, 0]:.2f}, of names that it does not know {losses[-1, 1]:.2f} (guessing {np.log(27):.2f}); {given.out}")
    print(*names)
    return names


if __name__ == "__main__":
    main()
