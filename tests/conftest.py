"""What all tests need of the process they run in."""

import signal

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts its background jobs deaf to Ctrl-C, and children inherit it: tests interrupt processes.
    signal.signal(signal.SIGINT, signal.default_int_handler)
