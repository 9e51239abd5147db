"""What both ends of a wire share: contract, evidence, signing, identity, errors, server and channel factories."""
