"""Where bytes lie that outlive a process and do not belong into a database: a folder, or an object store."""
