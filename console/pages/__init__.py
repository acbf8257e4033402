"""The pages, one file each: they put view models on the screen and decide nothing."""
