"""The errors that a user can cause; each message is one sentence that says what to do."""


class EmtcmError(Exception):
    """Base of all errors raised on purpose; the command line prints the message and exits with 1."""


class UsageError(EmtcmError):
    """What was asked for cannot be done as asked; the command line exits with 2."""


class DamagedError(EmtcmError):
    """A source is damaged, or not of the kind that its name says: nothing of it can be used."""


class WritingError(EmtcmError):
    """A file could not be written to its end, such as for want of room."""


def reason(error: Exception) -> str:
    """What went wrong, as a clause: the first line of a library's words without capital and full stop."""
    # What follows in PyTorch's is how to debug PyTorch.
    words = str(getattr(error, "strerror", None) or str(error).strip() or type(error).__name__)
    words = words.partition("\n")[0].rstrip(".")
    # Names of files keep their capitals, and so does what begins with several.
    return words if words[:2].isupper() else words[:1].lower() + words[1:]


# How CUDA, cuBLAS and cuDNN say that a GPU has no room, beside PyTorch's own error.
NO_ROOM = (
    "out of memory",
    "STATUS_ALLOC_FAILED",
    "ALLOCATION_FAILED",
    "STATUS_NOT_INITIALIZED",
    "unable to find an engine",
)


def is_host_out_of_memory(error: Exception) -> bool:
    """Whether an error says that the machine has too little memory."""
    return isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(error)


def is_device_out_of_memory(error: Exception) -> bool:
    """Whether an error of PyTorch says that a device has too little memory."""
    # By name: whoever only wants to print it shall not import PyTorch.
    return type(error).__name__ == "OutOfMemoryError" or any(words in str(error) for words in NO_ROOM)
