"""What each modality of a model contributes to its decisions, and what only both together do.

``table`` asks a model what it makes of the sound of one clip with the words of another; ``draws``, ``game`` and
``scores`` need nothing but its answers. ``parts`` cuts clips, ``owen`` shares a modality's worth out among the parts.
"""
