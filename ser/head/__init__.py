"""From a representation to emotions: scikit-learn estimators and networks behind one door.

Every head offers ``uses_trainer``, ``check``, ``fit`` and ``load``; every fitted model
``emotions``, ``predict`` and ``save``.
"""
