"""The folder ``conf`` where a command of ``ser`` is given joins Hydra's search path, before ``ser``'s own, and so wins.

Every project in the same environment that uses Hydra imports this module, so it imports nothing heavy, and does nothing
where another project's configuration is composed.
"""

from __future__ import annotations

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin


class OwnConfiguration(SearchPathPlugin):
    """Puts the user's folder before the shipped one.

    The copy of both that a sweep's jobs are composed from is another folder, and stays as it is.
    """

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Prepend the folder, if there is one."""
        from ser.paths import find_own, find_shipped

        own = find_own()
        main = [item.path for item in search_path.get_path() if item.provider == "main"]
        if own is not None and main in ([str(find_shipped("conf"))], [f"file://{find_shipped('conf')}"]):
            search_path.prepend("conf where you are", f"file://{own}", anchor="main")
