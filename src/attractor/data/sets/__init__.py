"""Published sets of images by name: fetched where they can be, read from a folder where they cannot."""
