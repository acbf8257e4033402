"""The archive: what was received, in Parquet by day and utility, in a folder or at any address of fsspec.

place       where files are: put whole or not at all, read, listed, removed
tables      records as columns, columns as records
manifests   what belongs to the archive, with digests
writing     records in, files and manifests out
reading     a range of the archive as records, in the order received; what is damaged is named
keeping     compaction, retention, verification
"""
