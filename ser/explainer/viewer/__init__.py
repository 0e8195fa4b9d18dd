"""A page to look at, and listen to, what explainers say about clips: ``write_viewer(path, title, clips)``.

``clip`` says what the page is told of each clip, ``sound`` draws and encodes what is heard, ``maps`` packs what
explainers found, and ``page`` puts it together. The page is one file that needs nothing else and no network.
"""

from ser.explainer.viewer.clip import CueLine, ViewerClip
from ser.explainer.viewer.page import write_viewer

__all__ = ["CueLine", "ViewerClip", "write_viewer"]
