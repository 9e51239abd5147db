"""phe's private form: both ways, and what is refused on import."""

import json

import phe
import pytest

from paillier import errors
from paillier.private import PrivateKey
from paillier.private.phe_form import (
    export_unencrypted_phe_json,
    from_phe,
    import_unencrypted_phe_json,
    to_phe,
)
from tests.support.paillier_keys import TEST_2048_P, other_key_2048


def altered(key: PrivateKey, **changes: object) -> str:
    jwk = json.loads(export_unencrypted_phe_json(key)) | changes
    return json.dumps({name: value for name, value in jwk.items() if value is not None})


def test_round_trip(key: PrivateKey) -> None:
    assert import_unencrypted_phe_json(export_unencrypted_phe_json(key)) == key
    assert from_phe(to_phe(key)) == key


def test_phe_opens_with_the_exported_key(key: PrivateKey) -> None:
    jwk = json.loads(export_unencrypted_phe_json(key))
    public = phe.PaillierPublicKey(phe.util.base64_to_int(jwk["pub"]["n"]))
    primes = [phe.util.base64_to_int(jwk[name]) for name in ("p", "q")]
    assert phe.PaillierPrivateKey(public, *primes).raw_decrypt(public.raw_encrypt(77)) == 77


def test_a_key_that_phe_made_is_refused_by_the_condition_it_breaks() -> None:
    prime_1_mod_4 = (3 << 1022) + 1037
    public = phe.PaillierPublicKey(TEST_2048_P * prime_1_mod_4)
    with pytest.raises(errors.PrimeNotBlum):
        from_phe(phe.PaillierPrivateKey(public, TEST_2048_P, prime_1_mod_4))


BAD_MEMBERS: dict[str, tuple[dict[str, object], type[errors.PaillierError]]] = {
    "wrong_kty": ({"kty": "RSA"}, errors.KeyFormat),
    "a_public_key": ({"key_ops": ["encrypt"]}, errors.KeyFormat),
    "key_ops_text": ({"key_ops": "decrypt"}, errors.KeyFormat),
    "p_missing": ({"p": None}, errors.KeyFormat),
    "q_not_base64": ({"q": "!"}, errors.KeyFormat),
    "pub_missing": ({"pub": None}, errors.KeyFormat),
    "pub_of_another_key": (
        {"pub": json.loads(other_key_2048().public.to_phe_json())},
        errors.ModulusMismatch,
    ),
}


@pytest.mark.parametrize("defect", BAD_MEMBERS)
def test_a_bad_private_form_is_refused(defect: str, key: PrivateKey) -> None:
    changes, error = BAD_MEMBERS[defect]
    with pytest.raises(error):
        import_unencrypted_phe_json(altered(key, **changes))


@pytest.mark.parametrize("member", ["p", "q"])
def test_the_refusal_names_the_member(member: str, key: PrivateKey) -> None:
    with pytest.raises(errors.KeyFormat, match=f'member "{member}"'):
        import_unencrypted_phe_json(altered(key, **{member: "!"}))
