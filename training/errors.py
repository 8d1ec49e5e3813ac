"""The error that ends a training."""

from vs_emtcm.errors import EmtcmError


class TrainingError(EmtcmError):
    """Training cannot start or go on; the message says why."""
