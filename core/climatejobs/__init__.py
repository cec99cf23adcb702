"""What every part of climatejobs agrees on: the ClimateJob, the processes, the data root, the errors.

Pure data and decisions; nothing here reads a file, opens a socket or knows the time.
"""

__version__ = "0.1.0"
