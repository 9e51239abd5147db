"""Every forged evidence bundle we could think of, by name, with the code with which it must be refused.

One catalogue for three uses: the unit test of `evidence.verify`, the committed vectors, and the lying gateway
against a real adapter. A forgery is built with every key that its forger could hold, and its leaf commits to
the forged parts unless the leaf itself is what is forged, so that each meets the check that was made for it.
"""

from __future__ import annotations

from tests.support.forgeries.company import COMPANY
from tests.support.forgeries.form import Forgery
from tests.support.forgeries.key import KEY
from tests.support.forgeries.leaf import LEAF
from tests.support.forgeries.request import REQUEST
from tests.support.forgeries.scorecard import SCORECARD

FORGERIES: tuple[Forgery, ...] = (*REQUEST, *COMPANY, *SCORECARD, *KEY, *LEAF)

__all__ = ["FORGERIES", "Forgery"]
