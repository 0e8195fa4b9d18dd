"""Language pre-fine-tuning: whose weights a backbone starts from, and what they have heard before."""
