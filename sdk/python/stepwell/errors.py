"""The contract's errors as exceptions. Raised by a step, each becomes the same case of the contract's error variant;
raised by the host, that case becomes the exception. Any other exception that leaves a step is reported as
`Permanent`."""


class StepError(Exception):
    """What every error of the contract is; catch it to handle them all."""

    of_host = False


class InvalidInput(StepError):
    """An argument, column or parameter that cannot be used. `reason` says what was expected and what was found, as a
    lowercase fragment. Never retried."""

    def __init__(self, name, reason):
        super().__init__(f"`{name}`: {reason}")
        self.name, self.reason = name, reason


class ShapeMismatch(StepError):
    """Operands whose shapes do not fit together. Never retried."""

    def __init__(self, operation, expected, got):
        super().__init__(f"{operation}: expected {expected}, got {got}")
        self.operation, self.expected, self.got = operation, expected, got


class BudgetExceeded(StepError):
    """A limit of the step that was reached. Retried only with a larger limit."""

    def __init__(self, kind, used, limit):
        super().__init__(f"{kind}: expected at most {limit}, got {used}")
        self.kind, self.used, self.limit = kind, used, limit


class Denied(StepError):
    """A door that no grant opened; the text names the grant that would."""


class Cancelled(StepError):
    """The run was cancelled; return as soon as possible."""


class Transient(StepError):
    """The outside world failed for now. The step is tried again after `retry_after_ms`, milliseconds, which are rounded."""

    def __init__(self, reason, retry_after_ms=1000):
        super().__init__(reason)
        self.reason, self.retry_after_ms = reason, retry_after_ms


class Permanent(StepError):
    """It will fail again; never retried."""
