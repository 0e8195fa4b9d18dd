"""How far classes overlap in each layer of a model, on speakers whom it has never heard."""
