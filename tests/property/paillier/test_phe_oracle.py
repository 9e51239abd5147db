"""phe (python-paillier) as an independent oracle, in both directions and at both usual sizes."""

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paillier.encryption import Encryptor
from paillier.linear import weighted_sum
from paillier.packing import SlotLayout
from paillier.portfolio import PortfolioScorecard, score_portfolio
from paillier.private import PrivateKey
from paillier.private.phe_form import to_phe
from paillier.private.portfolio import decrypt_scores
from paillier.randomizer_pool import RandomizerPool
from paillier.wire import join, split
from tests.support.paillier_keys import key_2048, key_3072

KEYS = {2048: key_2048, 3072: key_3072}
sizes = pytest.mark.parametrize("bits", KEYS)


@cache
def encryptor(bits: int) -> Encryptor:
    return Encryptor(KEYS[bits]().public, window=5)


@st.composite
def messages(draw: st.DrawFn, key: PrivateKey) -> int:
    """Anywhere in [0, n), with emphasis on both ends and the sign boundary."""
    n = int(key.public.n)
    around = draw(st.sampled_from([0, n, n // 2, 1 << 64, 1 << (key.public.bits - 1)]))
    near = st.integers(-3, 3).map(lambda offset: (around + offset) % n)
    return draw(st.one_of(near, st.integers(0, n - 1)))


@sizes
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_phe_opens_what_we_encrypt(bits: int, data: st.DataObject) -> None:
    key = KEYS[bits]()
    message = data.draw(messages(key))
    c = split(encryptor(bits).encrypt([message]), key.public, 1)[0]
    assert to_phe(key).raw_decrypt(int(c)) == message == key.decrypt(c)


@sizes
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_we_open_what_phe_encrypts(bits: int, data: st.DataObject) -> None:
    key = KEYS[bits]()
    message = data.draw(messages(key))
    c = to_phe(key).public_key.raw_encrypt(message)
    assert key.decrypt(split(join([c], key.public), key.public, 1)[0]) == message


@sizes
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_sums_over_ciphertexts_of_both_libraries(bits: int, data: st.DataObject) -> None:
    key = KEYS[bits]()
    ours, theirs = data.draw(messages(key)), data.draw(messages(key))
    weights = data.draw(st.lists(st.integers(-32768, 32767), min_size=2, max_size=2))
    ciphertexts = split(encryptor(bits).encrypt([ours]), key.public, 1)
    ciphertexts += split(join([to_phe(key).public_key.raw_encrypt(theirs)], key.public), key.public, 1)
    total = weighted_sum(key.public, ciphertexts, weights, 5)
    expected = (weights[0] * ours + weights[1] * theirs + 5) % key.public.n
    assert to_phe(key).raw_decrypt(int(total)) == expected == key.decrypt(total)


@sizes
@settings(max_examples=6, deadline=None)
@given(data=st.data())
def test_phe_opens_a_packed_portfolio_and_we_score_the_packed_columns_of_phe(bits: int, data: st.DataObject) -> None:
    """One column of ours and one of phe's, full plaintexts, extreme and other weights, opened by both."""
    key = KEYS[bits]()
    top = (1 << 12) - 1
    weights = data.draw(st.lists(st.sampled_from([-32768, -1, 0, 1, 32767, 12345]), min_size=2, max_size=2))
    low, high = (sum(end(0, weight * top) for weight in weights) for end in (min, max))
    layout = SlotLayout.for_key(key.public, max(12, (high - low).bit_length()))
    value = st.sampled_from([0, 1, top - 1, top])
    rows = [data.draw(st.lists(value, min_size=layout.slots, max_size=layout.slots)) for _ in weights]
    columns = [
        encryptor(bits).encrypt(layout.pack_column(rows[0])),
        join([to_phe(key).public_key.raw_encrypt(int(layout.pack(rows[1])))], key.public),
    ]
    (scores,) = score_portfolio(key.public, layout, columns, [PortfolioScorecard(weights, 0, low, high)], layout.slots)
    plain = [sum(w * x for w, x in zip(weights, row, strict=True)) for row in zip(*rows, strict=True)]
    assert decrypt_scores(key, layout, scores, layout.slots, low, high) == plain
    opened = to_phe(key).raw_decrypt(int.from_bytes(scores, "big"))
    assert [value + low for value in layout.unpack(opened, layout.slots)] == plain


@sizes
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_phe_opens_what_the_pool_encrypts(bits: int, data: st.DataObject) -> None:
    key = KEYS[bits]()
    message = data.draw(messages(key))
    pool = RandomizerPool(encryptor(bits), capacity=2)
    pool.fill(1)
    for c in split(pool.encrypt([message, message]), key.public, 2):
        assert to_phe(key).raw_decrypt(int(c)) == message
