"""Polynomials by their coefficients, by the laws, then a root at zero."""

import numpy as np
from laws import Case, every_case_obeys, every_row_has_a_case, spread
from numpy.testing import assert_allclose

from tinygrad_hw import Tensor

M, V, S = spread(2, 3), spread(5), np.asarray(0.7)
LINE = np.sort(spread(5, seed=4))
P, Q = spread(4), spread(3, seed=9)

CASES = [
    *(Case(np.polyval, P, x, analytic=True) for x in (M, S)),
    Case(np.polyval, M[0], call=lambda x: np.polyval([2, 0, 1], x)),
    *(Case(f, P, Q, analytic=True) for f in (np.polyadd, np.polysub)),
    *(Case(f, Q, P, analytic=True) for f in (np.polyadd, np.polysub)),
    Case(np.polymul, P, Q),
    Case(np.polymul, P, call=lambda p: np.polymul([0, 0, 1, 2], p)),
    *(Case(np.polydiv, a, b, call=lambda u, v: np.polydiv(u, v)) for a, b in [(P, Q), (Q, P), (P, Q[:1])]),
    *(Case(np.polyder, P, m=m, analytic=True) for m in (0, 1, 2, 4)),
    *(Case(np.polyint, P, m=2, k=k, analytic=True) for k in (None, 0.5, [0.5, 0.2])),
    *(Case(np.poly, x) for x in (P, M[:, :2] + M[:, :2].T + np.diag([1, 5]))),
    Case(np.roots, np.array([1.0, -7.1, 14.2, -8])),
    Case(np.roots, np.array([1.0, -3.2, 2.0]), call=lambda p: np.roots(np.concatenate([[0.0], p, [0.0]]))),
    *(Case(np.vander, V, **kwargs) for kwargs in ({}, {"N": 3, "increasing": True}, {"N": 0}, {"N": 1})),
    *(Case(np.polyfit, LINE, V, deg=deg) for deg in (0, 1, 2)),
    Case(np.polyfit, LINE, spread(5, 2), deg=1),
    Case(np.polyfit, LINE, V, spread(5, seed=7), call=lambda x, y, w: np.polyfit(x, y, 2, w=w)),
    *(Case(np.polyfit, LINE, V, call=lambda x, y, cov=cov: [np.ravel(a) for a in np.polyfit(x, y, 1, cov=cov)])
      for cov in (True, "unscaled")),
]  # fmt: skip


test_every_row_obeys = every_case_obeys(CASES)
test_every_row_has_a_case = every_row_has_a_case("polynomials", CASES)


def test_a_zero_root_moves_with_the_last_coefficient():
    p = Tensor([1.0, -3.0, 0.0], requires_grad=True)
    np.roots(p)[-1].backward()
    assert_allclose(p.grad, [0, 0, 1 / 3], atol=1e-15)
