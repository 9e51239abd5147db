"""Fixed Paillier TEST KEYS. **Published here, so worthless as secrets: never use them outside tests.**

Origin: `paillier.private.generate`, once. All satisfy every condition of design 2 (`PrivateKey` checks them
again when the functions below build a key). Tests generate keys only where generation itself is tested.
"""

from functools import cache

from paillier.private import PrivateKey

TEST_2048_P = int(
    "dd78d3e8a9914f4f2190fbb4c8d68c003670e5e8db27fab223a986b5fa6b141ec2b26fe412268b49c14eeba5640889fa"
    "1cb13d07972ed2d4f569151d16042a955f0455048bf981c0b0ecd98fdb193edc9b9298d927a434c10e03312df637f445"
    "d4eaa735d869b4c52dd1e92f9332b45d6ae311e443d152128a3848123441504f",
    16,
)
TEST_2048_Q = int(
    "fd66c715d02acac9dc80016d2812bdfbee602a624baa8fdee77cc03af61272a92b32802345dc74ed4207ce671eb05823"
    "3e4d5de8f1128a08f6dfc541bb3ca3578effc36e1b23cd1e72373fc031693825c0e4aac0fab351e1313d9c5f24413e0b"
    "4f2f57b959c14cba37e5449732e87a49f85752179a0a72542266b0a675bf1f27",
    16,
)
"""TEST key of 2048 bits."""

OTHER_TEST_2048_P = int(
    "e1c352edd25e379a327120a5cd67ba757db9e8d4675ac78b59260acf88da2dd45bf24376578859dd2b53625ab9f7d917"
    "5d218b4e1927b7ca9397f7488cd4a52efff77c649653de90cd002f75383874dbf36df8ce21810026723ce97ec84fa2a3"
    "177bcd9d800839aaa00fea90000c85cb928d0b4b27496d842ea3e50245a80bd7",
    16,
)
OTHER_TEST_2048_Q = int(
    "f3055e1648b9050fc33d7acbe3ff2c4e3becb94aa46b5d3cbc32495a5464c18a2628afa95fba7c4d0fc2c377e91ec0ba"
    "09cc77b5f35e7a968450d15282712a464dc768499c455075f7191ceb820f362960fea2a4c624266fd34c8d4195afdf50"
    "0bddfdd9a648e2815e179118e684c544323be08d973b54acccf4371c666e5c07",
    16,
)
"""A second TEST key of 2048 bits, for wrong-key tests."""

TEST_3072_P = int(
    "ec08eaa267f63791e845846be85f6dea4ec96c75923395a1b7f71e47d897b5c7b7cb5c15a4e085b101efb8123adc4b98"
    "317f952bac2f340a63f5f263a5c48cc90e69798ec6f22377602f06b4133d4444c293ae2caf1411dec407c7d8d92ef430"
    "a3f6b753838bfce6264e7721079400a0404983e971fd88b7e385acdf400cf1d3f8c2d8211c802ecc41a3af292f78e21b"
    "7960c16ef77a6d7dc78289a6fe7f5532ed78452acaa4cde40e2ed7c0994de910bed7ac5b8a53d5b42fe1210b28a30b07",
    16,
)
TEST_3072_Q = int(
    "fcfdc06ce1b4cb0b73359339cf3b7761c993c4aa4de802e58b618e0e3ba54335fa11b2032b767ef9bf0aff3e0505308e"
    "ab5a710bbab2fca8c4e4b06481d33ff1f26a7e358f7c27886b492e57eec590ce206161e0018562460c394a9bc010ea1e"
    "8122f1d642ad6f6eb0661cf03df7e4b1eed3bfc8c440716c2eefeb7c6cb25ce4e1f542b150f0d7162de8a45df3ca1bd8"
    "8157538f219e2a4965468ae92e1fe59dcbf5c423672d68c54d94f7c5cda4e807729a4010f28feb19c2186fd785d059d3",
    16,
)
"""TEST key of 3072 bits, the default size."""


@cache
def key_2048() -> PrivateKey:
    """The usual key of unit tests: the smallest size that is allowed."""
    return PrivateKey(TEST_2048_P, TEST_2048_Q)


@cache
def other_key_2048() -> PrivateKey:
    """Another party's key."""
    return PrivateKey(OTHER_TEST_2048_P, OTHER_TEST_2048_Q)


@cache
def key_3072() -> PrivateKey:
    """A key of the default size, for few and slow checks."""
    return PrivateKey(TEST_3072_P, TEST_3072_Q)
