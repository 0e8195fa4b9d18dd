"""What embeddings know of acoustic variables, and which of that a head uses."""
