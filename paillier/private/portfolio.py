"""Opening score columns of a portfolio: one decryption gives the scores of k companies.

Spec: design 2 "Packing (portfolio)": "The bank refuses bits above the last slot and a score out of range."
Thread-safety: pure functions; a key may be used from any number of threads.
"""

from paillier import wire
from paillier.packing import SlotLayout
from paillier.private.keys import PrivateKey
from paillier.score_range import check_score


def decrypt_scores(
    key: PrivateKey, layout: SlotLayout, column: bytes, companies: int, low: int, high: int
) -> list[int]:
    """Scores of `companies` companies, in order, from one score column of `portfolio.score_portfolio`.

    Raises the wire's errors, `SlotsOverflow` and `ScoreOutOfRange`: nothing is returned of a column that lies in one.
    """
    ciphertexts = wire.split(column, key.public, layout.chunks(companies))
    plaintexts = key.decrypt_many(ciphertexts)
    scores = []
    for plaintext, count in zip(plaintexts, layout.sizes(companies), strict=True):
        scores += [value + low for value in layout.unpack(plaintext, count)]
    for score in scores:
        check_score(score, low, high)
    return scores
