"""What finished models say of other recordings: files in, emotions with probabilities out."""
