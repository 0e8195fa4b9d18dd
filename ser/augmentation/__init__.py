"""What happens to training clips before a backbone reads them; every clip alone, from a seed of its own.

``base`` has the contract, ``compose`` chains and unions, the other modules the transforms. ``spec_augment`` works on
mel spectrograms inside a network, ``mixup`` on batches with targets.
"""
