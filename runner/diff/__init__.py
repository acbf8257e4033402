"""The diff of alerts: what two versions of a configuration, or of our code, say of the same days."""
