"""One module a framework; each `instrument_*` returns a handle whose `close()` undoes exactly that call."""
