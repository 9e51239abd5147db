"""Every way in which a key, a ciphertext, a plaintext, a scorecard or a proof is refused by the engine.

Each class names one defect, so that a caller can tell them apart without reading text. `hint` says cause and
cure for a person and never contains a value: neither plaintexts nor key material reach an error text.
Messages may contain positions, sizes and names of columns, nothing else.
"""

from typing import ClassVar


class PaillierError(ValueError):
    """Base of everything this package refuses; never raised itself."""

    hint: ClassVar[str] = "See the specific error."


# --- public keys --------------------------------------------------------------------------------------------


class KeyFormat(PaillierError):
    hint = "The text is not a phe public key (JWK with kty DAJ, alg PAI-GN1, n in base64url). Export it again."


class KeyCarriesPrivateParts(PaillierError):
    hint = "A private key was given where a public key belongs. Send only the public part, and replace this key."


class KeyTooSmall(PaillierError):
    hint = "Keys below 2048 bits can be broken. Generate a new key; the default is 3072 bits."


class KeySizeNotAllowed(PaillierError):
    hint = "The modulus must have exactly 2048, 3072 or 4096 bits. Generate a key of one of these sizes."


class KeyEven(PaillierError):
    hint = "The modulus is even, so it is not a product of two odd primes. Ask the key's owner for a new key."


class KeyNotBlum(PaillierError):
    hint = "The modulus is not 1 modulo 4, so its primes are not both 3 modulo 4. Generate a new Blum key."


class KeyPerfectPower(PaillierError):
    hint = "The modulus is a power of a smaller number. Ask the key's owner for a new key."


class KeySmallFactor(PaillierError):
    hint = "The modulus has a small prime factor. Ask the key's owner for a new key."


class KeyPrime(PaillierError):
    hint = "The modulus is a prime, so anybody could decrypt. Ask the key's owner for a new key."


# --- private keys -------------------------------------------------------------------------------------------


class PrimeNotPrime(PaillierError):
    hint = "A factor of this private key is not a prime. The key is damaged or forged: generate a new one."


class PrimesEqual(PaillierError):
    hint = "Both primes are the same number, so the modulus is a square. Generate a new key."


class PrimesUnequalLength(PaillierError):
    hint = "The two primes differ in bit length. Generate a new key."


class PrimesTooClose(PaillierError):
    hint = "The two primes are so close that the modulus can be factored. Generate a new key."


class PrimeNotBlum(PaillierError):
    hint = "A prime is not 3 modulo 4, so the key cannot be proved well formed. Generate a new key."


class PrimesShareFactor(PaillierError):
    hint = "p - 1 and q - 1 share a factor above 2. Generate a new key."


class ModulusMismatch(PaillierError):
    hint = "The public part does not belong to these primes. The file was mixed up or altered: export it again."


class KeyFileError(PaillierError):
    """Base of everything that is wrong with a private key file."""

    hint = "The private key file cannot be used. See the specific error."


class KeyFileMissing(KeyFileError):
    hint = "There is no private key file at this path. Check the path, or generate a key first."


class KeyFileExists(KeyFileError):
    hint = "A key file is already there and is not replaced silently. Choose another path, or overwrite it."


class KeyFilePermissions(KeyFileError):
    hint = "Others can read or write this key file. Set its mode to 0600 and its owner to this user."


class KeyFileFormat(KeyFileError):
    hint = "This is not a key file of a known version, or it is truncated. Restore it from a backup."


class KeyFileDecryption(KeyFileError):
    hint = "The passphrase is wrong, or the file was altered. Try again, else restore it from a backup."


class PassphraseTooShort(KeyFileError):
    hint = "The passphrase of a key file needs at least 8 bytes. Choose a longer one."


# --- ciphertexts and plaintexts -----------------------------------------------------------------------------


class CiphertextOutOfRange(PaillierError):
    hint = "A ciphertext is not between 0 and n squared: made under another key, or damaged. Fetch it again."


class CiphertextNotUnit(PaillierError):
    hint = "A ciphertext shares a factor with n, which no honest sender produces. Report the sender."


class CiphertextWidth(PaillierError):
    hint = "The ciphertext column has the wrong length: the sender used another layout or key. Compare both."


class PlaintextOutOfRange(PaillierError):
    hint = "A plaintext must be an integer from 0 to n - 1. Encode values with a column first."


class PackedOverflow(PaillierError):
    hint = "A value does not fit its slot, or there are more values than slots. Use the layout of the scorecard."


class SlotsOverflow(PaillierError):
    hint = "A packed plaintext has bits above its last slot: the arithmetic that made it was not the agreed one."


# --- columns and scorecards ---------------------------------------------------------------------------------


class ColumnInvalid(PaillierError):
    hint = "The column description breaks a rule of the catalogue. Correct the named field."


class WeightCount(PaillierError):
    hint = "There must be exactly one weight per ciphertext. Compare the scorecard's columns with the layout."


class WeightOutOfRange(PaillierError):
    hint = "A weight is not an integer of the allowed width (16 bits signed, 32 at most). Rescale the scorecard."


class ScoreRangeOverflow(PaillierError):
    hint = "The worst-case score does not fit its slot. Use smaller weights, narrower bounds or coarser scales."


class ScoreOutOfRange(PaillierError):
    hint = "The decrypted score is impossible for this scorecard. Do not use it; report the request id."


# --- proofs and limits --------------------------------------------------------------------------------------


class ProofInvalid(PaillierError):
    """`part` names what failed: "format", "iterations", "w", "x[3]", "a[3]", "z[3]" and so on."""

    hint = "The key's Paillier-Blum proof does not hold. Make it again with the same key and the same context."

    def __init__(self, part: str, reason: str) -> None:
        """`reason` is for people and holds no number of the proof."""
        super().__init__(f"Paillier-Blum proof invalid at {part}: {reason}")
        self.part = part


class MemoryBudgetTooSmall(PaillierError):
    hint = "Not even the smallest encryption table fits the memory budget. Raise the budget."


class ParameterOutOfRange(PaillierError):
    hint = "A tuning parameter (window, capacity, count, bits) is outside its documented range."
