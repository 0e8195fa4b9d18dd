"""What a training in tests tells, and what ends it."""


class Interrupted(Exception):
    """Stands for whatever ends a process."""


class Log:
    """Collects the metrics of each epoch; breaks off in one of them."""

    def __init__(self, interrupt=None, error=Interrupted):
        self.epochs = {}
        self.interrupt = interrupt
        self.error = error

    def __call__(self, metrics, epoch):
        if epoch == self.interrupt:
            raise self.error
        self.epochs[epoch] = dict(metrics)

    def list(self, name):
        return [self.epochs[epoch][name] for epoch in sorted(self.epochs)]
