"""The errors that a user can cause; each message is one sentence that says what to do."""


class EmtcmError(Exception):
    """Base of all errors raised on purpose; the command line prints the message and exits with 1."""


class UsageError(EmtcmError):
    """A request that cannot be met as it was given; the command line exits with 2."""


class DamagedError(EmtcmError):
    """A source is damaged, or not of the kind that its name says: nothing of it can be used."""


class WritingError(EmtcmError):
    """A file could not be written to its end, such as for want of room."""


def reason(error: Exception) -> str:
    """Return a library's message as a clause: its first line without initial capital and full stop."""
    # The other lines of PyTorch's messages say how to debug PyTorch.
    words = str(getattr(error, "strerror", None) or str(error).strip() or type(error).__name__)
    words = words.partition("\n")[0].rstrip(".")
    # Words that begin with several capitals, such as CUDA, keep them.
    return words if words[:2].isupper() else words[:1].lower() + words[1:]


# Parts of the messages in which CUDA, cuBLAS and cuDNN say that a GPU has no memory left. PyTorch has an
# exception of its own for that.
OUT_OF_MEMORY = (
    "out of memory",
    "STATUS_ALLOC_FAILED",
    "ALLOCATION_FAILED",
    "STATUS_NOT_INITIALIZED",
    "unable to find an engine",
)


def is_host_out_of_memory(error: Exception) -> bool:
    """Return whether an error says that the machine has too little memory."""
    return isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(error)


def is_device_out_of_memory(error: Exception) -> bool:
    """Return whether an error of PyTorch says that a device has too little memory."""
    # By the exception's name, so that this module does not import PyTorch.
    return type(error).__name__ == "OutOfMemoryError" or any(words in str(error) for words in OUT_OF_MEMORY)
