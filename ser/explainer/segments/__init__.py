"""Relevance of segments of a clip, found by asking any model about the clip without some of them.

``units`` cuts a clip, ``masks`` draws which segments stay, ``estimators`` turns the answers into values, ``explain``
joins them.
"""
