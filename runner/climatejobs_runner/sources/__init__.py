"""Where data are brought in from: files and stores that others wrote, each seen as a gridded source."""
