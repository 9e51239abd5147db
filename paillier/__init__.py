"""Paillier engine: keys, encodings, encryption and linear algebra on ciphertext columns. Mathematics only."""
