"""One module a command of ``ser``: ``main(arguments) -> exit code``."""
