"""The crawler, in the order in which data passes through it.

listing     what lies below a target, without exclusions and hidden files
facts       what one object is: format, columns, rows (parquet_facts, text_facts read them)
folders     which folders are tables and which are partitions of one
definitions how a table or partition is written down in the catalog
publish     what changes in the catalog, as the crawler's policies allow
run         one crawl from the role's credentials to its summary
"""
