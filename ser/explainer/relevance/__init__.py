"""Layer-wise relevance propagation through any network of this package, as activation times a modified gradient.

:mod:`~ser.explainer.relevance.rules` says what can be chosen. :mod:`~ser.explainer.relevance.gradients` holds the rules
themselves, :mod:`~ser.explainer.relevance.operations` says which functions of torch they are for, and
:mod:`~ser.explainer.relevance.mode` puts one in place of the gradient of every operation between inputs and logits.
:mod:`~ser.explainer.relevance.trace` runs a network so, :mod:`~ser.explainer.relevance.concepts` divides the relevance
of a layer by its channels.

Nothing is patched: the rules sit on the functions of torch, in one context, so that a functional operation is covered
by the same rule as the module around it, and one without a rule is an error that names the modules it was met in.
"""
