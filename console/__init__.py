"""The web page of the embedded runner: the city, its incidents and the reasons, live in a browser."""
