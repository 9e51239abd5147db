"""A department's adapter: evidence in, ciphertexts out. It tails and witnesses the ledger; one also attests."""
