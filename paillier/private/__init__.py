"""Private-key code, importable only from bank_client and company_client (import-linter contract)."""

from paillier.private.blum_prover import prove
from paillier.private.keyfile import load, save
from paillier.private.keys import PrivateKey, generate

__all__ = ["PrivateKey", "generate", "load", "prove", "save"]
