"""The Paillier engine against phe, sf-heu and pypaillier, in one run."""
