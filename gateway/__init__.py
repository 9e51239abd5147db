"""The gateway: checks consent and law, computes on ciphertexts, records every decision. Can decrypt nothing."""
